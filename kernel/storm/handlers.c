// Handling a storm's traps.
#include "storm/handlers.h"

#include "cpu/x86.h"
#include "devices/apic.h"
#include "storm/level.h"
#include "storm/raise.h"
#include "storm/storm.h"
#include "trap/ring.h"
#include "trap/tables.h"
#include "trap/trap.h"

#define ONE_IN_EARLY 2  // interrupts is ended before its handler has done its work
#define ONE_IN_RAISE 16 // exceptions of a witness makes an interrupt pending behind its instruction

static trap_fn *swapped[VECTOR_COUNT]; ///< the handlers that are away while it storms

/// Every handler begins and ends with these.
static struct storm *enter(const struct regs *regs)
{
    struct storm *storm = storm_here();
    fetch_add(&storm->came[regs->vector], 1);
    if (++storm->nested > storm->deepest)
        storm->deepest = storm->nested;
    return storm;
}

static void leave(struct storm *storm)
{
    storm->nested--;
}

/// An exception of a witness at work. Others are faults of the kernel, for those whom the vector
/// belonged to before.
static bool is_ours(const struct regs *regs)
{
    return witness_is_at(regs->rip);
}

static void end(struct storm *storm, unsigned vector)
{
    apic_end(vector);
    if (apic_in_service(vector))
        storm_note(storm, (struct wrong){.what = WRONG_EOI, .vector = vector});
}

static void on_interrupt(struct regs *regs)
{
    struct storm *storm = enter(regs);
    unsigned vector = regs->vector;
    if (!apic_in_service(vector))
        storm_note(storm, (struct wrong){.what = WRONG_ORIGIN, .vector = vector});
    storm->is_due[vector] = false;
    bool is_early = random_one_in(&storm->random, ONE_IN_EARLY);
    if (is_early)
        end(storm, vector);
    if (vector == VECTOR_TIMER)
        raise_timer(storm);
    level_dive(storm, regs);
    if (!is_early)
        end(storm, vector);
    leave(storm);
}

static void on_nmi(struct regs *regs)
{
    struct storm *storm = enter(regs);
    if (atomic_exchange(&storm->nmi_due, NOBODY) == ANOTHER)
        storm->nmis_taken++;
    level_dive(storm, regs);
    leave(storm);
}

/// Behind its instruction comes what is raised here, whichever instruction that is.
static void on_exception(struct regs *regs)
{
    struct storm *storm = enter(regs);
    if (regs->rflags & RFLAGS_IF && random_one_in(&storm->random, ONE_IN_RAISE))
        raise_ipi(storm);
    level_dive(storm, regs);
    leave(storm);
}

static void on_breakpoint(struct regs *regs)
{
    if (is_ours(regs))
        on_exception(regs);
    else
        swapped[VECTOR_BP](regs);
}

static void on_step(struct regs *regs)
{
    if (!is_ours(regs) || !(read_dr6() & DR6_BS)) {
        swapped[VECTOR_DB](regs);
        return;
    }
    write_dr6(DR6_INIT);
    on_exception(regs);
}

static void on_page_fault(struct regs *regs)
{
    if (is_ours(regs) && level_map_touched(read_cr2(), regs->cs & SELECTOR_RPL))
        on_exception(regs);
    else
        swapped[VECTOR_PF](regs);
}

static void on_user_call(struct regs *regs)
{
    leave(enter(regs));
    ring_leave(regs, 0);
}

static trap_fn *handler_of(unsigned vector)
{
    switch (vector) {
    case VECTOR_DB:
        return on_step;
    case VECTOR_NMI:
        return on_nmi;
    case VECTOR_BP:
        return on_breakpoint;
    case VECTOR_PF:
        return on_page_fault;
    case VECTOR_USER:
        return on_user_call;
    default:
        return vector == VECTOR_TIMER || raise_is_free(vector) ? on_interrupt : NULL;
    }
}

void handlers_take(void)
{
    tables_open();
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        swapped[vector] = handler_of(vector);
    trap_swap_handlers(swapped);
    tables_close();
}

void handlers_give_back(void)
{
    tables_open();
    trap_swap_handlers(swapped);
    tables_close();
}
