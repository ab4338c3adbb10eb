// Where the machines that we know differ from the architecture: the table of tests/emulators.toml,
// which scripts/build/deviations turns into C.
//
// We cannot tell an emulator's version reliably. So every row of an emulator counts, whatever the
// versions for which the table has it; the tests on the host know the version.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "faults/catalogue.h"

/// One CPU model of an emulator: its models stand together, the preferred one first.
struct emulator {
    const char *id;      ///< of the emulator, as in tests/emulators.toml
    const char *name;    ///< for people
    const char *command; ///< that boots this kernel in it
    uint64_t lacks;      ///< a bit for each enum feature
};

/// One field of one of the traps that come.
struct override {
    uint16_t trap, field; ///< the trap counted from 0; FIELD_...
    uint32_t kind;        ///< OVERRIDE_...
    uint64_t value;
};

/// What comes of an entry there: @trap_count traps, as expected but for the overrides.
struct deviation {
    const char *emulator; ///< its id
    const char *name;     ///< of the catalogue entry
    const char *reason;
    const struct override *overrides;
    uint16_t override_count, trap_count;
    uint32_t is_unsafe; ///< it hangs or ends the emulator
};

#define NOTE(text)
#define FIELD(record, field, offset, size) RECORD_FIELD(record, field, offset, size)
#define SIZE(record, size)                 RECORD_SIZE(record, size)
#define CONSTANT(name, value)
#include "faults/deviations.def"
#undef CONSTANT
#undef SIZE
#undef FIELD

#define FIELD(record, field, offset, size)
#define SIZE(record, size)
#define CONSTANT(name, value) name = value,
enum deviation_constant {
#include "faults/deviations.def"
};
#undef CONSTANT
#undef SIZE
#undef FIELD
#undef NOTE

/// Ends with a null in the first place.
extern const struct emulator emulators[];

/// The rows lie together, wherever they are written. `aligned`: GCC leaves no gap before them.
#define DEVIATIONS __attribute__((section(".deviations"), used, aligned(8))) static

/// The row for the entry called @name on this machine behind @after (null: the first), or null if
/// there is none: then it must be seen as the architecture says.
const struct deviation *deviation_here(const char *name, const struct deviation *after);

/// The row for which the entry called @name is not to be run on this machine, or null.
const struct deviation *deviation_unsafe(const char *name);

/// What is expected of the trap with number @number (from 0) of @fault where @deviation holds.
struct expectation deviation_expectation(const struct fault *fault,
                                         const struct deviation *deviation, size_t number);

/// An emulator in which the entry called @name, which needs @feature, is seen as the architecture
/// says in all versions; null if there is none.
const struct emulator *deviation_free(const char *name, enum feature feature);

/// "QEMU TCG", "Bochs", or the CPU and its hypervisor.
const char *emulator_name(void);
