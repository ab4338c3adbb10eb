// A CPU's region of memory: struct cpu at its base, then the stacks that its traps run on.
//
// There is no GS base and so no SWAPGS: whatever stack of the CPU is in use, a mask on RSP finds
// the region's base and with it `struct cpu`.
#pragma once

#include <stdatomic.h>
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

    // In another page than what trap/tables.h closes.
    uint64_t trap_count[VECTOR_COUNT] __attribute__((aligned(CPU_TABLES_SIZE)));
    uint64_t traps_taken;
    struct taken_trap traps[TRAPS_KEPT]; ///< the last ones, the next at traps_taken % TRAPS_KEPT

    volatile uint64_t ticks; ///< of its timer
    uint32_t apic_id;
    atomic_bool is_up; ///< whether it has arrived in C, with all that is its own in place

    // What another CPU has it do: devices/call.c.
    void (*work)(void *argument);
    void *argument;
    atomic_bool is_called; ///< the interrupt has come
    atomic_bool is_busy;   ///< from the call until the work is done

    atomic_bool must_invalidate;          ///< see devices/shootdown.c
    _Atomic(const struct regs *) stopped; ///< where devices/stop.c has ended it, or null
};

/// How many CPUs run. They are numbered from 0, the one that has booted.
extern unsigned cpu_count;

/// CPU @number, below CPU_LIMIT.
static inline struct cpu *cpu_at(unsigned number)
{
    return (struct cpu *)(CPU_BASE + number * CPU_REGION_SIZE);
}

/// The CPU that runs this.
static inline struct cpu *this_cpu(void)
{
    return (struct cpu *)((uint64_t)__builtin_frame_address(0) & ~(CPU_REGION_SIZE - 1));
}

static inline unsigned cpu_number(const struct cpu *cpu)
{
    return (unsigned)(((uint64_t)cpu - CPU_BASE) / CPU_REGION_SIZE);
}

/// Where @cpu has what lies at @address in the first CPU's region.
static inline uint64_t cpu_address(const struct cpu *cpu, uint64_t address)
{
    return address - CPU_BASE + (uint64_t)cpu;
}

/// A stack of the first CPU's region: the addresses of its lowest byte and of the first above it.
struct stack {
    const char *name;
    uint64_t low, high;
};

/// The stack, of any CPU, that holds @address, or null.
const struct stack *stack_at(uint64_t address);

/// The stack, of any CPU, whose guard page holds @address, or null.
const struct stack *stack_guarded_at(uint64_t address);
