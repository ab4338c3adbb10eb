// One CPU: its data and its stacks in one aligned region, and the features it has.
//
// There is no GS base and so no SWAPGS: whatever stack of the CPU is in use, a mask on RSP finds
// the region's base and with it `struct cpu`.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cpu/layout.h"
#include "trap/regs.h"
#include "trap/vectors.h"

/// The task state in long mode: SDM vol. 3, 7.7. IST slots count from 1.
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map_base;
} __attribute__((packed));

_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, figure 7-11");

#define GDT_ENTRIES 11

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

/// The stack whose guard page holds @address, or null.
const struct stack *cpu_guarded_stack(uint64_t address);

/// The stack that holds @address, or null.
const struct stack *cpu_stack(uint64_t address);

#define FEATURE(name, leaf, subleaf, output, bit) FEATURE_##name,
enum feature {
    FEATURE_ALWAYS,
#include "cpu/features.def"
    FEATURE_PTE_RESERVED, ///< a page-table entry has a reserved bit
    FEATURE_COUNT
};
#undef FEATURE

/// Whether the CPU has @feature; FEATURE_ALWAYS is always there.
bool cpu_has(enum feature feature);

/// The feature's name in the manuals.
const char *feature_name(enum feature feature);

/// Detect the features.
void cpu_detect(void);

/// The CPU has @feature, but the firmware forbids it: cpu_has() denies it from now on.
void cpu_forget(enum feature feature);

/// Switch on in CR0, CR4 and XCR0 what the kernel relies on. Needs the kernel's own tables.
void cpu_init(void);

/// Put x87 and SSE in their state of reset: all of their exceptions are masked. Needs CR0.EM and
/// CR0.TS clear. SDM vol. 1, 8.1.5 and 11.6.4.
void cpu_init_floating_point(void);
