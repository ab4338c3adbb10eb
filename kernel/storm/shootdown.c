// Shootdowns from a storm.
#include "storm/raise.h"

#include "cpu/x86.h"
#include "devices/shootdown.h"

#define ONE_IN 16 // times that it could

static void forget_nothing(void)
{
}

void raise_shootdown(struct storm *storm)
{
    if (cpu_count == 1 || random_below(&storm->random, ONE_IN) != 0)
        return;
    storm->dive = 0; // nothing may nest but on top of a witness
    sti();
    shootdown(forget_nothing);
    cli();
    storm->shootdowns++;
}
