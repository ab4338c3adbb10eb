// The catalogue of tests/faults/ as the linker has collected it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trap/regs.h"
#include "trap/stacks.h"

/// One entry, written by the `fault` macro of tests/faults/fault.inc.
struct fault {
    const char *name, *summary;
    uint64_t code;
    uint32_t ring, needs;  ///< needs: an enum feature
    uint64_t rflags;       ///< to start ring 3 with
    void (*prepare)(void); ///< called before the code, or null
    uint64_t flags;        ///< FAULT_...
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
    uint16_t vector, flags; ///< flags: EXPECT_...
    uint16_t registers;     ///< bit N: the general register at offset 8 * N of struct regs
    uint16_t or_code;       ///< what the error code may be as well
    const uint64_t *values; ///< of those registers, in that order
};

/// A line of a .def file for both languages: what NASM writes is what C reads.
#define RECORD_FIELD(record, field, offset, size)                                                  \
    _Static_assert(offsetof(struct record, field) == (offset) &&                                   \
                       sizeof(((struct record *)0)->field) == (size),                              \
                   "tests/faults/records.inc writes " #field " there");
#define RECORD_SIZE(record, size)                                                                  \
    _Static_assert(sizeof(struct record) == (size), "tests/faults/records.inc writes so much");

#define NOTE(text)
#define FIELD(record, field, offset, size) RECORD_FIELD(record, field, offset, size)
#define SIZE(record, size)                 RECORD_SIZE(record, size)
#define CONSTANT(name, value)
#include "faults/catalogue.def"
#undef CONSTANT
#undef SIZE
#undef FIELD

#define FIELD(record, field, offset, size)
#define SIZE(record, size)
#define CONSTANT(name, value) name = value,
enum catalogue_constant {
#include "faults/catalogue.def"
};
#undef CONSTANT
#undef SIZE
#undef FIELD
#undef NOTE

/// The entries, in the order of their files' names.
const struct fault *fault_first(void);
const struct fault *fault_end(void);

/// The name of the entry at @index, or null behind the last.
const char *fault_name(size_t index);

/// The entry called @name, or null.
const struct fault *fault_find(const char *name);

/// The first expectation of @fault behind @after (null: the first one), or null.
const struct expectation *fault_expectation(const struct fault *fault,
                                            const struct expectation *after);

/// @expected as it is due on @cpu: addresses in the first CPU's region are those in its own.
struct expectation expectation_on(const struct cpu *cpu, const struct expectation *expected);

/// A general register that an expectation names.
struct expected_register {
    const char *name; ///< "rcx"
    uint64_t value;
    size_t place; ///< in struct regs, counted in registers
};

/// Put the register that has number @number (from 0) among those of @expected into @found. Returns
/// false if there is none.
bool expected_register(const struct expectation *expected, unsigned number,
                       struct expected_register *found);

/// The expectation of the trap that has number @number (from 0) among those of @fault, or null.
const struct expectation *fault_expected_trap(const struct fault *fault, size_t number);
