// A small random number generator with a seed: Steele, Lea and Flood's SplitMix64, 2014.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/// The next 64 random bits.
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

/// A generator for @seed; those of neighbouring seeds have nothing in common.
static inline struct random random_from(uint64_t seed)
{
    struct random random = {seed};
    random.state = random_next(&random);
    return random;
}

/// A number from 0 to @limit - 1; @limit is a power of two.
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) >> 32 & (limit - 1);
}

/// True once in @power_of_two times.
static inline bool random_one_in(struct random *random, uint64_t power_of_two)
{
    return random_below(random, power_of_two) == 0;
}

/// Heads or tails.
static inline bool random_bool(struct random *random)
{
    return random_below(random, 2);
}
