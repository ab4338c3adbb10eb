// The NMI's handler is where a stopped CPU stays, with all that it was doing on its stack.
#include "devices/stop.h"

#include <stddef.h>

#include "cpu/x86.h"
#include "devices/lapic.h"
#include "trap/stacks.h"
#include "trap/tables.h"
#include "trap/trap.h"

// A read of a port takes a microsecond; this one, port B of the PC, has no effect.
#define HARMLESS_PORT 0x61
#define PATIENCE      1000000u

void stop_here(const struct regs *regs)
{
    const struct regs *nothing = NULL;
    atomic_compare_exchange_strong(&this_cpu()->stopped, &nothing, regs);
    for (;;) {
        cli();
        hlt();
    }
}

/// The one that goes on: an NMI from elsewhere must not end its report.
static _Atomic(const struct cpu *) stopper;

static void on_stop(struct regs *regs)
{
    if (this_cpu() != stopper)
        stop_here(regs);
}

void stop_others(void)
{
    if (cpu_count == 1)
        return;
    stopper = this_cpu();
    tables_open();
    trap_handler(VECTOR_NMI, on_stop);
    for (unsigned number = 0; number < cpu_count; number++)
        if (cpu_at(number) != this_cpu())
            apic_send(cpu_at(number)->apic_id, ICR_NMI);
    unsigned polls = 0;
    for (unsigned number = 0; number < cpu_count; number++)
        while (cpu_at(number) != this_cpu() && !cpu_at(number)->stopped && polls++ < PATIENCE)
            inb(HARMLESS_PORT);
}
