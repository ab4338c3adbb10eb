// What hostile programs are made of.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "hostile/kinds.h"

/// The bytes of one or a few instructions, and how many follow that may be anything: a ModRM byte
/// with its displacement, an immediate.
struct instruction {
    uint8_t bytes[24];
    uint8_t size, tail;
    uint8_t selector; ///< where a selector belongs, two bytes; 0 for nowhere
    uint8_t offset;   ///< where an address to go to belongs, four bytes; 0 for nowhere
};

/// Instructions that are about the same.
struct trick {
    const struct instruction *instructions;
    size_t count;
};

/// By their kinds.
extern const struct trick hostile_tricks[HOSTILE_TRICKS];

/// Code that keeps the CPU, in whatever state IF and IOPL are.
extern const struct instruction hostile_spins[];
#define HOSTILE_SPINS 4
