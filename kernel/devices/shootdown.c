// One shootdown at a time: what to forget, an interrupt to each other CPU, and a flag of each that
// it clears when it has forgotten.
#include "devices/shootdown.h"

#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/lapic.h"
#include "trap/stacks.h"
#include "trap/trap.h"

static atomic_flag is_running = ATOMIC_FLAG_INIT;
static void (*invalidate)(void); ///< what it has each CPU do

// Interrupts stay off from the question to the answer. Else our own interrupt could answer in
// between, the next shootdown ask anew, and what is written last here answer that one unserved.
void shootdown_serve(void)
{
    struct cpu *cpu = this_cpu();
    uint64_t rflags = read_rflags();
    cli();
    if (cpu->must_invalidate) {
        invalidate();
        cpu->must_invalidate = false;
    }
    if (rflags & RFLAGS_IF)
        sti();
}

static void on_shootdown(struct regs *regs)
{
    (void)regs;
    shootdown_serve();
    apic_end(VECTOR_SHOOTDOWN);
}

void shootdown_init(void)
{
    trap_handler(VECTOR_SHOOTDOWN, on_shootdown);
}

static void ask(struct cpu *cpu)
{
    cpu->must_invalidate = true;
    apic_send(cpu->apic_id, ICR_FIXED | VECTOR_SHOOTDOWN);
}

void shootdown(void (*forget)(void))
{
    cli();
    forget();
    while (atomic_flag_test_and_set(&is_running)) {
        shootdown_serve();
        pause();
    }
    invalidate = forget;
    for (unsigned number = 0; number < cpu_count; number++)
        if (cpu_at(number) != this_cpu())
            ask(cpu_at(number));
    for (unsigned number = 0; number < cpu_count; number++)
        while (cpu_at(number)->must_invalidate)
            pause();
    atomic_flag_clear(&is_running);
    sti();
}
