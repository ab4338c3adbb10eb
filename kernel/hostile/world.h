// The world of a hostile program: its pages, and what of the machine it finds beside the registers
// of struct regs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hostile/program.h"

/// x87, SSE and AVX as XSAVE lays them out, or FXSAVE: SDM vol. 1, 13.4.
#define EXTENDED_SIZE 832

struct extended {
    uint8_t bytes[EXTENDED_SIZE];
} __attribute__((aligned(64)));

/// Map its pages. Once, and before the others.
void world_init(void);

/// Make all as it must be for @program, whatever the one before has left.
void world_prepare(const struct program *program);

/// The RIP that the code of @program begins with: its address, in the segment that it starts in.
uint64_t world_rip(const struct program *program);

/// Code that comes back at once by VECTOR_USER, with all registers as they were; and the RIP that
/// the CPU then saves.
uint64_t world_witness(void);
uint64_t world_witness_end(void);

/// Take down x87, SSE and AVX as they are.
void world_extended(struct extended *extended);

/// Look for an address of the kernel in what @program could read or write when it ended with @regs
/// and @extended; it must not have been given any. Returns the first, or 0.
uint64_t world_find_leak(const struct program *program, const struct regs *regs,
                         const struct extended *extended);
