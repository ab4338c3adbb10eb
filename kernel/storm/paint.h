// How much of a stack was ever used: it is painted, and later one looks where the paint ends.
#pragma once

#include <stdint.h>

/// Paint the stack from @low to @high: all of it, or what is below the caller if that runs on it.
void paint_stack(uint64_t low, uint64_t high);

/// The bytes of the stack from @low to @high that were in use since then, at most.
uint64_t paint_used(uint64_t low, uint64_t high);
