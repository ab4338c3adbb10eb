// Painting stacks.
#include "storm/paint.h"

#define PAINT  0x5041494E54454421ul // no value that a register is likely to hold
#define MARGIN 256                  // the painter's own frame, below its RBP

void paint_stack(uint64_t low, uint64_t high)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    if (here >= low && here < high)
        high = here - MARGIN;
    for (volatile uint64_t *word = (uint64_t *)low; word < (uint64_t *)high; word++)
        *word = PAINT;
}

uint64_t paint_used(uint64_t low, uint64_t high)
{
    const uint64_t *word = (const uint64_t *)low;
    while (word < (const uint64_t *)high && *word == PAINT)
        word++;
    return high - (uint64_t)word;
}
