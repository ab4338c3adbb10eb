// What came of a catalogue entry, held against what the architecture says.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "faults/catalogue.h"
#include "faults/deviations.h"
#include "report/record.h"

/// One more than any entry expects, so that the first that is too many can be told.
#define TRAPS_LIMIT (EXPECTATIONS_LIMIT + 1)

/// What came of running an entry.
struct outcome {
    size_t count; ///< traps taken; the first TRAPS_LIMIT are kept
    struct record traps[TRAPS_LIMIT];
    uint64_t result; ///< what the code itself found: 0 is right
    enum { PASS, FAIL, KNOWN, SKIP } verdict;
    char reason[96]; ///< of anything but PASS
    /// KNOWN: what came instead. PASS: what comes instead in other versions, or null.
    const struct deviation *deviation;
};

/// Set verdict and reason of @outcome, the traps that @fault has raised.
void judge(const struct fault *fault, struct outcome *outcome);
