// Numbers that look random and are the same again for the same seed: G. Marsaglia, "Xorshift RNGs".
#pragma once

#include <stdint.h>

/// The next number of *state, which must not be 0.
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/// One in @count is true.
static inline _Bool random_one_in(uint64_t *state, unsigned count)
{
    return (random_next(state) >> 32) % count == 0;
}
