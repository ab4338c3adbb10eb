// One CPU's region of memory: struct cpu at its base, then the stacks that its traps run on.
//
// There is no GS base and so no SWAPGS: whatever stack of the CPU is in use, a mask on RSP finds
// the region's base and with it `struct cpu`.
#pragma once

#include <stdint.h>

#include "cpu/layout.h"
#include "trap/gdt.h"
#include "trap/regs.h"
#include "trap/vectors.h"

#define TRAPS_KEPT 32

/// A trap that was taken: what `traps` under GDB tells of it.
struct taken_trap {
    const struct regs *regs; ///< its frame, gone when it has returned
    uint64_t rip, error_code;
    uint32_t vector, slot_opened;
};

struct cpu {
    struct tss tss;
    uint64_t gdt[GDT_ENTRIES];
    uint64_t trap_count[VECTOR_COUNT];
    uint64_t traps_taken;
    struct taken_trap traps[TRAPS_KEPT]; ///< the last ones, the next at traps_taken % TRAPS_KEPT
};

/// The CPU that runs this.
static inline struct cpu *this_cpu(void)
{
    return (struct cpu *)((uint64_t)__builtin_frame_address(0) & ~(CPU_REGION_SIZE - 1));
}

/// A stack of the region: the addresses of its lowest byte and of the first above it.
struct stack {
    const char *name;
    uint64_t low, high;
};

/// The stack that holds @address, or null.
const struct stack *stack_at(uint64_t address);

/// The stack whose guard page holds @address, or null.
const struct stack *stack_guarded_at(uint64_t address);
