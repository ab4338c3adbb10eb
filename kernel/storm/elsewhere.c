// What a storm sends to another CPU. One of each vector is under way to a CPU at a time, and one
// NMI: so none may be merged, and each must come.
#include "cpu/x86.h"
#include "devices/lapic.h"
#include "storm/raise.h"
#include "trap/stacks.h"

bool raise_is_from_others(unsigned vector)
{
    return cpu_count > 1 && vector % 2 != 0 && raise_is_free(vector);
}

/// Another CPU on which it storms, or null.
static const struct cpu *another_cpu(struct storm *storm)
{
    if (!storm->blows || cpu_count == 1)
        return NULL;
    unsigned number = (unsigned)random_below(&storm->random, CPU_LIMIT) % cpu_count;
    const struct cpu *cpu = cpu_at(number);
    return cpu != this_cpu() && storm_of(cpu)->blows ? cpu : NULL;
}

void raise_ipi_elsewhere(struct storm *storm)
{
    const struct cpu *cpu = another_cpu(storm);
    if (!cpu)
        return;
    unsigned vector = (unsigned)random_below(&storm->random, VECTOR_COUNT) | 1;
    if (!raise_is_from_others(vector))
        return;
    struct storm *other = storm_of(cpu);
    if (atomic_exchange(&other->is_due[vector], true))
        return;
    other->raised[vector]++; // nobody else's before it has come
    apic_send(cpu->apic_id, ICR_FIXED | vector);
}

void raise_nmi_elsewhere(struct storm *storm)
{
    const struct cpu *cpu = another_cpu(storm);
    if (!cpu || !raise_claim_nmi(storm_of(cpu), ANOTHER))
        return;
    atomic_fetch_add(&storm_of(cpu)->nmis_sent, 1);
    apic_send(cpu->apic_id, ICR_NMI);
}
