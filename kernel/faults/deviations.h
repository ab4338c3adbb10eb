// Where the emulators that we know differ from the architecture: the table of
// tests/emulators.toml, which scripts/build/deviations turns into C.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"

/// One CPU model of an emulator: its models stand together, the preferred one first.
struct emulator {
    const char *id;      ///< of the emulator, as in tests/emulators.toml
    const char *name;    ///< for people
    const char *command; ///< that boots this kernel in it
    uint64_t lacks;      ///< a bit for each enum feature
};

/// An entry that is seen differently there.
struct deviation {
    const char *emulator; ///< its id
    const char *name;     ///< of the catalogue entry
    const char *reason;
    bool is_unsafe; ///< it hangs or ends the emulator
};

/// Both end with a null in the first place.
extern const struct emulator emulators[];
extern const struct deviation deviations[];

/// What is known of the entry called @name on this machine, or null if it must be seen as the
/// architecture says.
const struct deviation *deviation_here(const char *name);

/// An emulator in which the entry called @name, which needs @feature, is seen as the architecture
/// says; null if there is none.
const struct emulator *deviation_free(const char *name, enum feature feature);

/// "QEMU TCG", "Bochs", or "this machine" where we cannot tell.
const char *emulator_name(void);
