// Counting interrupts between traps.
#include "faults/interruptions.h"

#include <stdint.h>

#include "lib/string.h"
#include "trap/trap.h"

static uint64_t counts[VECTOR_COUNT]; ///< of each vector, at the last trap
static bool came[EXPECTATIONS_LIMIT]; ///< by the number of the expectation in its entry

static void take_counts(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        counts[vector] = trap_count(vector);
}

void interruptions_begin(void)
{
    take_counts();
    memset(came, 0, sizeof(came));
}

void interruptions_note(const struct fault *fault, size_t number)
{
    size_t traps = 0, index = 0;
    const struct expectation *expected = NULL;
    for (; (expected = fault_expectation(fault, expected)); index++) {
        if (!(expected->flags & EXPECT_INTERRUPTED))
            traps++;
        else if (traps == number && trap_count(expected->vector) != counts[expected->vector])
            came[index] = true;
    }
    take_counts();
}

bool interruption_came(const struct fault *fault, const struct expectation *expected)
{
    size_t index = 0;
    const struct expectation *before = NULL;
    while ((before = fault_expectation(fault, before)) != expected)
        index++;
    return came[index];
}

bool interruptions_all_came(const struct fault *fault)
{
    size_t index = 0;
    const struct expectation *expected = NULL;
    for (; (expected = fault_expectation(fault, expected)); index++)
        if (expected->flags & EXPECT_INTERRUPTED && !came[index])
            return false;
    return true;
}
