// Running a catalogue entry: take over the exception vectors, run the code in its ring, end each
// trap as its expectation says, and put the machine right again.
#include "faults/faults.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "devices/apic.h"
#include "faults/deviations.h"
#include "faults/interruptions.h"
#include "faults/state.h"
#include "lib/minimum.h"
#include "lib/print.h"
#include "lib/string.h"
#include "report/panic.h"
#include "trap/entry.h"
#include "trap/ring.h"
#include "trap/stacks.h"
#include "trap/tables.h"
#include "trap/trap.h"

// An entry that is abandoned ends. If its traps go on, it has destroyed the way out.
#define ABANDON_LIMIT 3

// How often an entry that waits for an interrupt runs, some milliseconds each time.
#define RUN_LIMIT 1000

static const struct fault *running;  ///< null while no entry's code runs
static const struct cpu *running_on; ///< its CPU; the others do nothing meanwhile
static struct outcome outcome;
static unsigned abandoned; ///< how often the running entry was, at traps that it did not expect
static struct record last_trap;
static bool any_trap;

static trap_fn *swapped[VECTOR_COUNT]; ///< the handlers that are away while an entry runs

/// End the entry's code, with @result.
static void abandon(struct regs *regs, uint64_t result)
{
    state_restore_cet();
    ring_leave(regs, result);
}

static void on_user_call(struct regs *regs)
{
    abandon(regs, regs->rax);
}

/// Keep the trap @regs. An NMI may come in between and be kept as well, so the place is taken
/// first.
static const struct record *keep_trap(const struct regs *regs, size_t *number)
{
    static struct record no_place;
    *number = fetch_add(&outcome.count, 1);
    struct record *record = *number < TRAPS_LIMIT ? &outcome.traps[*number] : &no_place;
    record_take(record, regs);
    return record;
}

/// A trap that the entry did not expect ends it.
static void on_unexpected(struct regs *regs)
{
    if (abandoned++ == ABANDON_LIMIT) {
        print("\n%s cannot be ended: it was abandoned %u times, and still it traps.\n"
              "It has destroyed the kernel's stack, or where the TSS says that it is.\n",
              running->name, ABANDON_LIMIT);
        panic_trap(regs);
    }
    abandon(regs, 0);
}

/// A trap behind the entry's end: an interrupt that it has left pending, or the kernel's own fault.
static void on_late(struct regs *regs, const struct record *record)
{
    if (record->origin != ORIGIN_IRQ && regs->vector != VECTOR_NMI)
        panic_trap(regs);
}

/// The handler of the vectors that an entry has taken over.
static void on_trap(struct regs *regs)
{
    // The others wait for the entry's CPU: only an NMI may come to them, from outside.
    if (this_cpu() != running_on) {
        if (regs->vector != VECTOR_NMI)
            panic_trap(regs);
        return;
    }
    size_t number;
    const struct record *record = keep_trap(regs, &number);
    if (record->origin == ORIGIN_IRQ)
        apic_end(regs->vector);
    if (running == NULL) {
        on_late(regs, record);
        return;
    }

    interruptions_note(running, number);
    const struct expectation *expected = fault_expected_trap(running, number);
    if (expected == NULL || expected->vector != regs->vector) {
        on_unexpected(regs);
        return;
    }
    if (expected->repair)
        expected->repair(regs);
    if (expected->then)
        regs->rip = expected->then;
    if (expected->flags & EXPECT_ABANDON)
        abandon(regs, 0);
}

/// An NMI comes from outside, at any instruction: it is the entry's only if the entry expects one.
static bool takes_nmi(const struct fault *fault)
{
    if (fault->flags & FAULT_EVERY_VECTOR)
        return true;
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (expected->vector == VECTOR_NMI && !(expected->flags & EXPECT_INTERRUPTED))
            return true;
    return false;
}

/// The handler of @vector while @fault runs: its own are the exceptions, and what no device has.
/// Null where the kernel's handler stays.
static trap_fn *entry_handler(const struct fault *fault, unsigned vector)
{
    if (fault->flags & FAULT_EVERY_VECTOR)
        return on_trap;
    if (vector == VECTOR_USER)
        return on_user_call;
    if (vector == VECTOR_NMI)
        return takes_nmi(fault) ? on_trap : NULL;
    return vector < EXCEPTION_COUNT || !trap_is_expected(vector) ? on_trap : NULL;
}

static void take_vectors(const struct fault *fault)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        swapped[vector] = entry_handler(fault, vector);
    trap_swap_handlers(swapped);
}

static uint64_t enter(const struct fault *fault, void *kernel_rsp)
{
    if (fault->ring == 0)
        return ring0_call(fault->code, kernel_rsp);
    return ring3_call(fault->code, USER_STACK_HIGH, fault->rflags, kernel_rsp);
}

static uint64_t call(const struct fault *fault)
{
    void *kernel_rsp = tables_rsp0();
    if (fault->prepare)
        fault->prepare();
    return enter(fault, kernel_rsp);
}

/// Whether the code of @fault is to run again, for its interrupt has not come, and nothing else.
static bool is_waiting(const struct fault *fault)
{
    interruptions_note(fault, outcome.count);
    return fault->flags & FAULT_UNTIL_INTERRUPTED && outcome.result == 0 && outcome.count == 0 &&
           !interruptions_all_came(fault);
}

static void call_expecting(const struct fault *fault)
{
    outcome.result = call(fault);
    for (unsigned runs = 1; is_waiting(fault) && runs < RUN_LIMIT; runs++)
        outcome.result = enter(fault, tables_rsp0());
}

/// For `frame` and `regs`: a later entry may raise none.
static void keep_last_trap(void)
{
    if (outcome.count == 0)
        return;
    last_trap = outcome.traps[minimum(outcome.count, TRAPS_LIMIT) - 1];
    any_trap = true;
}

static void run(const struct fault *fault)
{
    cli();
    state_save();
    tables_open();
    if (fault->flags & FAULT_EVERY_VECTOR)
        state_mask_timer();
    if (takes_nmi(fault))
        state_mask_nmi();
    abandoned = 0;
    running_on = this_cpu();
    take_vectors(fault);
    interruptions_begin();
    running = fault;
    write_dr6(DR6_INIT);
    call_expecting(fault);
    running = NULL;
    state_restore();
    trap_swap_handlers(swapped);
    tables_close();
    state_unmask_nmi();
    sti();
    state_share_pages();
    keep_last_trap();
    judge(fault, &outcome);
}

void fault_run_unhandled(const struct fault *fault)
{
    cli();
    state_save();
    tables_open();
    trap_fn *before = trap_handler(VECTOR_USER, on_user_call);
    call(fault);
    trap_handler(VECTOR_USER, before);
    state_restore();
    tables_close();
    state_unmask_nmi();
    sti();
    state_share_pages();
}

/// Whether @expected is an interrupt of a device's, by the I/O APIC or by the 8259.
static bool is_of_device(const struct expectation *expected)
{
    if (expected->flags & EXPECT_INTERRUPTED)
        return expected->vector != VECTOR_TIMER;
    return expected->vector >= VECTOR_PIC7 - 7 && expected->vector <= VECTOR_PIC15;
}

/// Whether such interrupts are all that @fault is about.
static bool is_about_devices(const struct fault *fault)
{
    const struct expectation *expected = NULL;
    bool any = false;
    while ((expected = fault_expectation(fault, expected))) {
        if (!is_of_device(expected))
            return false;
        any = true;
    }
    return any;
}

bool fault_can_run(const struct cpu *cpu, const struct fault *fault, enum risk risk, char *reason,
                   size_t size)
{
    const struct deviation *unsafe = risk == RISK_ALL ? NULL : deviation_unsafe(fault->name);
    if (!cpu_has(fault->needs))
        print_to(reason, size, "this CPU has no %s", feature_name(fault->needs));
    else if (unsafe)
        print_to(reason, size, "unsafe: %s", unsafe->reason);
    else if (cpu != cpu_at(0) && is_about_devices(fault))
        print_to(reason, size, "the devices interrupt CPU 0 alone");
    else
        return true;
    return false;
}

const struct outcome *fault_run(const struct fault *fault, enum risk risk)
{
    memset(&outcome, 0, sizeof(outcome));
    if (fault_can_run(this_cpu(), fault, risk, outcome.reason, sizeof(outcome.reason)))
        run(fault);
    else
        outcome.verdict = SKIP;
    return &outcome;
}

const struct record *fault_last_trap(void)
{
    return any_trap ? &last_trap : NULL;
}

const struct record *fault_trap(size_t number)
{
    bool is_kept = number >= 1 && number <= outcome.count && number <= TRAPS_LIMIT;
    return is_kept ? &outcome.traps[number - 1] : NULL;
}
