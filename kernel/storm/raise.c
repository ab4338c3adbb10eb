// Raising interrupts.
#include "storm/raise.h"

#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/lapic.h"
#include "trap/trap.h"

// The timer's delay is below a power of two, from 2^6 on: less than a handler takes.
#define DELAY_SHIFT_LOW   6
#define DELAY_SHIFT_COUNT 8

bool raise_is_free(unsigned vector)
{
    return vector >= EXCEPTION_COUNT && vector_info(vector) == NULL;
}

void raise_ipi(struct storm *storm)
{
    unsigned vector = (unsigned)random_below(&storm->random, VECTOR_COUNT);
    if (raise_is_from_others(vector))
        vector--;
    if (!storm->blows || !raise_is_free(vector))
        return;
    storm->raised[vector]++;
    if (apic_is_pending(vector))
        storm->merged[vector]++;
    apic_send_self(ICR_FIXED | vector);
}

bool raise_claim_nmi(struct storm *storm, enum sender sender)
{
    enum sender nobody = NOBODY;
    return atomic_compare_exchange_strong(&storm->nmi_due, &nobody, sender);
}

void raise_nmi(struct storm *storm)
{
    if (!storm->blows || !raise_claim_nmi(storm, ITSELF))
        return;
    storm->raised[VECTOR_NMI]++;
    apic_send_self(ICR_NMI);
}

void raise_timer(struct storm *storm)
{
    if (!storm->blows)
        return;
    unsigned shift = DELAY_SHIFT_LOW + (unsigned)random_below(&storm->random, DELAY_SHIFT_COUNT);
    uint32_t delay = (uint32_t)random_below(&storm->random, 1ul << shift);
    storm->raised[VECTOR_TIMER]++;
    lapic_write(LAPIC_TIMER_INITIAL_COUNT, delay + 1);
}
