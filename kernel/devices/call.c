// The mailbox. Its owner looks into it behind the interrupt, never before: work that takes over all
// vectors must not find the kernel's own interrupt still pending.
#include "devices/call.h"

#include <stdbool.h>

#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/lapic.h"
#include "devices/shootdown.h"
#include "trap/trap.h"

static void on_call(struct regs *regs)
{
    (void)regs;
    if (apic_end(VECTOR_CALL))
        this_cpu()->is_called = true;
}

void call_init(void)
{
    trap_handler(VECTOR_CALL, on_call);
}

void call_take(void)
{
    struct cpu *cpu = this_cpu();
    cli();
    while (!cpu->is_called) {
        sti_hlt();
        cli();
    }
    cpu->is_called = false;
    sti();
    cpu->work(cpu->argument);
    cpu->is_busy = false;
}

/// Without interrupts in between: they are the other CPU's from here on.
static void start(struct cpu *cpu, void (*work)(void *argument), void *argument)
{
    cpu->work = work;
    cpu->argument = argument;
    cpu->is_busy = true;
    apic_send(cpu->apic_id, ICR_FIXED | VECTOR_CALL);
}

void call_start(struct cpu *cpu, void (*work)(void *argument), void *argument)
{
    cli();
    start(cpu, work, argument);
    sti();
}

void call_wait(struct cpu *cpu)
{
    cli();
    while (cpu->is_busy) {
        shootdown_serve();
        pause();
    }
    sti();
}

void call_run(struct cpu *cpu, void (*work)(void *argument), void *argument)
{
    cli();
    start(cpu, work, argument);
    call_wait(cpu);
}
