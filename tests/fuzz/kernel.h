// What the kernel's parsers stand on, for a Linux program: a console, panic() and physical memory.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Where input that stands for physical memory begins; all else reads as 0xFF, as a bus does.
#define MEMORY_START 0x1000ul

/// The next input's physical memory is @size bytes at @data.
void memory_is(const uint8_t *data, size_t size);

/// Run @work, which may panic: to refuse the input is right, too. Then end all its maps.
void run(void (*work)(void));

/// End the program, as a finding, if @truth is false: @what does not hold.
void always(int truth, const char *what);
