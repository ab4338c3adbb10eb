// Counting interrupts between traps.
#include "faults/interruptions.h"

#include <stdint.h>

#include "trap/trap.h"

static uint64_t counts[VECTOR_COUNT]; ///< of each vector, at the last trap
static bool came[EXPECTATIONS_LIMIT]; ///< by the number of the expectation in its entry

void interruptions_begin(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        counts[vector] = trap_count(vector);
    for (size_t i = 0; i < EXPECTATIONS_LIMIT; i++)
        came[i] = false;
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
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        counts[vector] = trap_count(vector);
}

bool interruption_came(const struct fault *fault, const struct expectation *expected)
{
    size_t index = 0;
    const struct expectation *before = NULL;
    while ((before = fault_expectation(fault, before)) != expected)
        index++;
    return came[index];
}
