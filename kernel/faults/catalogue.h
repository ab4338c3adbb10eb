// The catalogue of tests/faults/ as the linker has collected it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "trap/regs.h"

/// One entry, written by the `fault` macro of tests/faults/fault.inc.
struct fault {
    const char *name, *summary;
    uint64_t code;
    uint32_t ring, needs;  ///< needs: an enum feature
    uint64_t rflags;       ///< to start ring 3 with
    void (*prepare)(void); ///< called before the code, or null
    uint64_t flags;        ///< enum fault_flag
};

enum fault_flag {
    FAULT_FATAL = 1 << 0,        ///< the machine resets
    FAULT_EVERY_VECTOR = 1 << 1, ///< traps of the devices' vectors count, too
    FAULT_MAY_REFUSE = 1 << 2,   ///< a CPU may refuse to do it at all
};

/// What the code of an entry returns if the CPU has refused it.
#define RESULT_REFUSED 0xFFFFFFFFul

/// As tests/faults/fault.inc writes them.
enum expectation_flag {
    EXPECT_CODE = 1 << 0,
    EXPECT_CR2 = 1 << 1,
    EXPECT_DR6 = 1 << 2,
    EXPECT_ABANDON = 1 << 3,
    EXPECT_INTERRUPTED = 1 << 4,
    EXPECT_ANYWHERE = 1 << 5,
    EXPECT_CS = 1 << 6,
    EXPECT_SS = 1 << 7,
    EXPECT_RSP = 1 << 8,
};

/// What the architecture says must be seen of one trap, and how its handler ends: written by the
/// `expect` and `interrupted` macros.
struct expectation {
    const struct fault *fault;
    uint64_t rip, then;
    void (*repair)(struct regs *regs);
    uint64_t cr2, dr6, rsp;
    uint64_t rflags_set, rflags_clear;
    uint64_t stack; ///< its lowest address, 0 for any
    uint16_t cs, ss;
    uint32_t error_code;
    uint16_t vector, flags;
    uint32_t reserved;
};

/// The entries, in the order of their files' names.
const struct fault *fault_first(void);
const struct fault *fault_end(void);

/// The entry called @name, or null.
const struct fault *fault_find(const char *name);

/// The first expectation of @fault behind @after (null: the first one), or null.
const struct expectation *fault_expectation(const struct fault *fault,
                                            const struct expectation *after);

/// The expectation of the trap that has number @number (from 0) among those of @fault, or null.
const struct expectation *fault_expected_trap(const struct fault *fault, size_t number);
