// trap_dispatch(): where every trap arrives in C.
#include "trap.h"

#include <stddef.h>

#include "cpu.h"
#include "panic.h"

static trap_fn *handlers[VECTOR_COUNT];

void trap_dispatch(struct regs *regs)
{
    this_cpu()->trap_count[regs->vector]++;
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
