// trap_dispatch(): where every trap arrives in C.
#include "trap/trap.h"

#include <stddef.h>

#include "cpu/cpu.h"
#include "report/panic.h"

static trap_fn *handlers[VECTOR_COUNT];

/// Count and note it, cheaply, for this is done on every trap.
static void note(struct cpu *cpu, const struct regs *regs)
{
    cpu->trap_count[regs->vector]++;
    cpu->traps[cpu->traps_taken++ % TRAPS_KEPT] = (struct taken_trap){
        .regs = regs,
        .rip = regs->rip,
        .error_code = regs->error_code,
        .vector = regs->vector,
        .slot_opened = regs->slot_opened,
    };
}

void trap_dispatch(struct regs *regs)
{
    note(this_cpu(), regs);
    trap_fn *handler = handlers[regs->vector];
    if (handler == NULL)
        panic_trap(regs);
    handler(regs);
}

trap_fn *trap_handler(unsigned vector, trap_fn *fn)
{
    trap_fn *before = handlers[vector];
    handlers[vector] = fn;
    return before;
}

uint64_t trap_count(unsigned vector)
{
    return this_cpu()->trap_count[vector];
}
