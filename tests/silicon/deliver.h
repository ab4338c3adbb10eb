// The bench's trampoline: see deliver.asm.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Deliver the same interrupt @count times to @stub, with RSP at @rsp, a multiple of 16.
void deliver(const void *stub, uint64_t count, bool with_code, void *rsp);
extern const char deliver_end[];

/// Take @cycles of the core's clock, a multiple of 100.
void dependent_chain(uint64_t cycles);
