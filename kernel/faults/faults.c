// Running a catalogue entry: take over the exception vectors, run the code in its ring, end each
// trap as its expectation says, and put the machine right again.
#include "faults/faults.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "devices/apic.h"
#include "faults/deviations.h"
#include "faults/machine.h"
#include "lib/print.h"
#include "lib/string.h"
#include "trap/trap.h"

#define EXCEPTIONS 32

// asm/user.asm
extern uint64_t ring3_call(uint64_t rip, uint64_t rsp, uint64_t rflags, void *kernel_rsp);
extern uint64_t ring0_call(uint64_t code, void *kernel_rsp);
extern const char ring_return[];

static const struct fault *running; ///< null while no entry's code runs
static struct outcome outcome;
static struct record last_trap;
static bool any_trap;

static trap_fn *handlers_before[VECTOR_COUNT];
static uint64_t counts_before[VECTOR_COUNT];

/// Make the frame return to the caller of ring0_call() or ring3_call(), with @result.
static void abandon(struct regs *regs, uint64_t result)
{
    machine_put_cet_right();
    regs->rax = result;
    regs->rip = (uint64_t)ring_return;
    regs->cs = SELECTOR_KERNEL_CODE;
    regs->rflags = RFLAGS_FIXED;
    regs->rsp = this_cpu()->tss.rsp[0];
    regs->ss = SELECTOR_KERNEL_DATA;
}

static void on_user_call(struct regs *regs)
{
    abandon(regs, regs->rax);
}

static void keep_trap(const struct regs *regs)
{
    record_take(&last_trap, regs);
    any_trap = true;
    if (outcome.count < TRAPS_LIMIT)
        outcome.traps[outcome.count] = last_trap;
    outcome.count++;
}

/// The handler of the vectors that an entry has taken over.
static void on_trap(struct regs *regs)
{
    const struct expectation *expected =
        running ? fault_expected_trap(running, outcome.count) : NULL;
    keep_trap(regs);
    if (last_trap.origin == ORIGIN_IRQ && apic_in_service(regs->vector))
        apic_eoi();
    if (running == NULL)
        return;

    if (expected == NULL || expected->vector != regs->vector) {
        abandon(regs, 0);
        return;
    }
    if (expected->repair)
        expected->repair(regs);
    if (expected->then)
        regs->rip = expected->then;
    if (expected->flags & EXPECT_ABANDON)
        abandon(regs, 0);
}

static bool expects_nmi(const struct fault *fault)
{
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (expected->vector == VECTOR_NMI && !(expected->flags & EXPECT_INTERRUPTED))
            return true;
    return false;
}

/// Whether @vector is the entry's while it runs: the exceptions, and what no device has. An NMI
/// comes from outside, at any instruction: it is the entry's only if the entry expects one.
static bool is_taken_over(unsigned vector, trap_fn *handler)
{
    if (vector == VECTOR_NMI)
        return expects_nmi(running) || running->flags & FAULT_EVERY_VECTOR;
    return vector < EXCEPTIONS || handler == NULL || running->flags & FAULT_EVERY_VECTOR;
}

static void take_vectors(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        trap_fn *handler = trap_handler(vector, NULL);
        counts_before[vector] = trap_count(vector);
        handlers_before[vector] = handler;
        trap_handler(vector, is_taken_over(vector, handler) ? on_trap : handler);
    }
    if (!(running->flags & FAULT_EVERY_VECTOR))
        trap_handler(VECTOR_USER, on_user_call);
}

static void give_vectors_back(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        trap_handler(vector, handlers_before[vector]);
}

static uint64_t call(const struct fault *fault)
{
    void *kernel_rsp = this_cpu()->tss.rsp;
    if (fault->prepare)
        fault->prepare();
    if (fault->ring == 0)
        return ring0_call(fault->code, kernel_rsp);
    return ring3_call(fault->code, USER_STACK_HIGH, fault->rflags, kernel_rsp);
}

static void run(const struct fault *fault)
{
    cli();
    machine_save();
    if (fault->flags & FAULT_EVERY_VECTOR)
        machine_mask_timer();
    running = fault;
    take_vectors();
    write_dr6(DR6_INIT);
    outcome.result = call(fault);
    running = NULL;
    machine_put_right();
    give_vectors_back();
    sti();
    judge(fault, &outcome, counts_before);
}

void fault_run_unhandled(const struct fault *fault)
{
    cli();
    call(fault);
}

bool fault_can_run(const struct fault *fault, char *reason, size_t size)
{
    const struct deviation *deviation = deviation_here(fault->name);
    if (!cpu_has(fault->needs))
        print_to(reason, size, "this CPU has no %s", feature_name(fault->needs));
    else if (deviation && deviation->is_unsafe)
        print_to(reason, size, "unsafe: %s", deviation->reason);
    else
        return true;
    return false;
}

const struct outcome *fault_run(const struct fault *fault)
{
    memset(&outcome, 0, sizeof(outcome));
    if (!fault_can_run(fault, outcome.reason, sizeof(outcome.reason))) {
        outcome.verdict = SKIP;
        return &outcome;
    }
    run(fault);
    if (outcome.verdict == FAIL && deviation_here(fault->name))
        outcome.verdict = KNOWN;
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
