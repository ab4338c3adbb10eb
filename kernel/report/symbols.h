// Names of addresses, from the kernel's own ELF symbols, which GRUB hands over.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Map the symbols. Without them, symbols_describe() knows nothing.
void symbols_init(void);

/// Write "name" or "name+0x12" for @address into @text of @size bytes, or "?" if no symbol covers
/// it.
void symbols_describe(uint64_t address, char *text, size_t size);
