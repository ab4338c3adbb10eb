// The catalogue of tests/faults/: the entries as the linker collected them, and how to run one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "vectors.h"

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
};

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

#define TRAPS_LIMIT VECTOR_COUNT

/// What came of running an entry.
struct outcome {
    size_t count; ///< traps taken; the first TRAPS_LIMIT are kept
    struct record traps[TRAPS_LIMIT];
    uint64_t result; ///< what the code itself found: 0 is right
    enum { PASS, FAIL, KNOWN, SKIP } verdict;
    char reason[96]; ///< of anything but PASS
};

/// The entries, in the order of their files' names.
const struct fault *fault_first(void);
const struct fault *fault_end(void);

/// The entry called @name, or null.
const struct fault *fault_find(const char *name);

/// The first expectation of @fault behind @after (null: the first one), or null.
const struct expectation *fault_expectation(const struct fault *fault,
                                            const struct expectation *after);

/// Raise it. The result stays valid until the next call.
const struct outcome *fault_run(const struct fault *fault);

/// The last trap that an entry has raised, or null: `frame` draws it.
const struct record *fault_last_trap(void);

/// Run its code with nobody to handle the trap: the way to see a panic.
void fault_run_unhandled(const struct fault *fault);
