// What hostile programs are made of.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// The first bytes of an instruction, and how many follow that may be anything: a ModRM byte with
/// its displacement, an immediate.
struct instruction {
    uint8_t bytes[8];
    uint8_t size, tail;
};

extern const struct instruction hostile_instructions[];
extern const size_t hostile_instruction_count;

/// Code that keeps the CPU, in whatever state IF and IOPL are.
extern const struct instruction hostile_spins[];
#define HOSTILE_SPINS 4
