// Where the emulator that runs us is known to differ from the architecture: the table of
// tests/emulators.toml, which scripts/deviations turns into C.
#pragma once

/// Why the entry called @name is seen differently on this machine, or null if it must be seen as
/// the architecture says.
const char *deviation_reason(const char *name);

/// "QEMU TCG", "Bochs", or "this machine" where we cannot tell.
const char *emulator_name(void);

struct deviation {
    const char *emulator; ///< as in tests/emulators.toml
    const char *name;     ///< of the catalogue entry
    const char *reason;
};

/// Ends with a null name.
extern const struct deviation deviations[];
