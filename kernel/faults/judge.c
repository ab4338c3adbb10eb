// The judgement: the first difference is the reason.
#include "faults/judge.h"

#include "cpu/x86.h"
#include "faults/interruptions.h"
#include "lib/print.h"
#include "lib/string.h"
#include "trap/stacks.h"
#include "trap/trap.h"

/// Keep the first reason only: what follows a difference is its consequence.
__attribute__((format(printf, 2, 3))) static void fail(struct outcome *outcome, const char *format,
                                                       ...)
{
    if (outcome->verdict == FAIL)
        return;
    outcome->verdict = FAIL;
    va_list arguments;
    va_start(arguments, format);
    print_to_v(outcome->reason, sizeof(outcome->reason), format, arguments);
    va_end(arguments);
}

static void judge_frame(struct outcome *outcome, const struct record *seen,
                        const struct expectation *expected)
{
    const struct regs *regs = &seen->regs;
    if (seen->address % 16 != 0)
        fail(outcome, "the CPU's frame does not hang from an aligned top: regs at 0x%lx",
             seen->address);
    if (expected->flags & EXPECT_CS && regs->cs != expected->cs)
        fail(outcome, "CS 0x%lx, not 0x%x", regs->cs, expected->cs);
    if (expected->flags & EXPECT_SS && regs->ss != expected->ss)
        fail(outcome, "SS 0x%lx, not 0x%x", regs->ss, expected->ss);
    if (expected->flags & EXPECT_RSP && regs->rsp != expected->rsp)
        fail(outcome, "RSP 0x%lx, not 0x%lx", regs->rsp, expected->rsp);
    if (~regs->rflags & expected->rflags_set)
        fail(outcome, "RFLAGS 0x%lx without 0x%lx", regs->rflags, expected->rflags_set);
    if (regs->rflags & expected->rflags_clear)
        fail(outcome, "RFLAGS 0x%lx with some of 0x%lx", regs->rflags, expected->rflags_clear);
    const struct stack *stack = stack_at(seen->address);
    if (expected->stack && (stack == NULL || stack->low != expected->stack))
        fail(outcome, "on the %s", stack ? stack->name : "wrong stack");
}

static void judge_registers(struct outcome *outcome, const struct regs *regs,
                            const struct expectation *expected)
{
    struct expected_register due;
    for (unsigned i = 0; expected_register(expected, i, &due); i++) {
        uint64_t value = ((const uint64_t *)regs)[due.place];
        if (value != due.value)
            fail(outcome, "%s 0x%lx, not 0x%lx", due.name, value, due.value);
    }
}

/// The status bits of DR6: SDM vol. 3, 17.2.3.
static uint64_t dr6_causes(uint64_t dr6)
{
    return dr6 & (DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3 | DR6_BD | DR6_BS | DR6_BT);
}

static bool is_due_code(uint64_t code, const struct expectation *expected)
{
    bool is_either = expected->flags & EXPECT_OR_CODE && code == expected->or_code;
    return code == expected->error_code || is_either;
}

static void judge_trap(struct outcome *outcome, const struct record *seen,
                       const struct expectation *expected)
{
    const struct regs *regs = &seen->regs;
    bool expects_code = expected->flags & EXPECT_CODE;
    if (regs->vector != expected->vector)
        fail(outcome, "vector %u, not %u", regs->vector, expected->vector);
    if (seen->code_pushed != expects_code)
        fail(outcome, "%s error code was pushed", expects_code ? "no" : "an");
    if (expects_code && !is_due_code(regs->error_code, expected))
        fail(outcome, "error code 0x%lx, not 0x%x", regs->error_code, expected->error_code);
    if (!expects_code && regs->error_code != 0)
        fail(outcome, "the dummy code is 0x%lx, not 0", regs->error_code);
    if (!(expected->flags & EXPECT_ANYWHERE) && regs->rip != expected->rip)
        fail(outcome, "RIP 0x%lx, not 0x%lx", regs->rip, expected->rip);
    if (expected->flags & EXPECT_CR2 && seen->cr2 != expected->cr2)
        fail(outcome, "CR2 0x%lx, not 0x%lx", seen->cr2, expected->cr2);
    if (expected->flags & EXPECT_DR6 && dr6_causes(seen->dr6) != expected->dr6)
        fail(outcome, "DR6 causes 0x%lx, not 0x%lx", dr6_causes(seen->dr6), expected->dr6);
    judge_registers(outcome, regs, expected);
    judge_frame(outcome, seen, expected);
}

/// What is expected of the trap with number @number (from 0): by the architecture, or where
/// @deviation holds. Returns whether there is one.
static bool find_expected(const struct fault *fault, const struct deviation *deviation,
                          size_t number, struct expectation *expected)
{
    const struct expectation *due = fault_expected_trap(fault, number);
    if (deviation)
        *expected = deviation_expectation(fault, deviation, number);
    else if (due)
        *expected = expectation_on(this_cpu(), due);
    return deviation ? number < deviation->trap_count : due != NULL;
}

static void judge_traps(const struct fault *fault, const struct deviation *deviation,
                        struct outcome *outcome)
{
    struct expectation expected;
    size_t number = 0;
    for (; find_expected(fault, deviation, number, &expected); number++) {
        if (number < outcome->count)
            judge_trap(outcome, &outcome->traps[number], &expected);
        else
            fail(outcome, "no trap came, vector %u was due", expected.vector);
    }
    if (outcome->count > number)
        fail(outcome, "one trap too many: vector %u", outcome->traps[number].regs.vector);
}

static void judge_interrupts(const struct fault *fault, struct outcome *outcome)
{
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (expected->flags & EXPECT_INTERRUPTED && !interruption_came(fault, expected))
            fail(outcome, "no interrupt of vector %u came in its place", expected->vector);
}

/// Whether exactly that has come which @deviation has in the architecture's place. The reason stays
/// what differs from the architecture.
static bool is_seen(const struct fault *fault, const struct deviation *deviation,
                    struct outcome *outcome)
{
    char reason[sizeof(outcome->reason)];
    memcpy(reason, outcome->reason, sizeof(reason));
    outcome->verdict = PASS;
    judge_traps(fault, deviation, outcome);
    bool is_right = outcome->verdict == PASS;
    memcpy(outcome->reason, reason, sizeof(reason));
    return is_right;
}

/// The architecture's traps have not come: one of the rows may have those that have.
static void explain(const struct fault *fault, struct outcome *outcome)
{
    const struct deviation *row = NULL;
    while ((row = deviation_here(fault->name, row))) {
        if (!row->is_unsafe && is_seen(fault, row, outcome)) {
            outcome->verdict = KNOWN;
            outcome->deviation = row;
            return;
        }
    }
}

void judge(const struct fault *fault, struct outcome *outcome)
{
    if (fault->flags & FAULT_MAY_REFUSE && outcome->result == REFUSED) {
        outcome->verdict = SKIP;
        print_to(outcome->reason, sizeof(outcome->reason), "this CPU refuses it");
        return;
    }
    judge_traps(fault, NULL, outcome);
    if (outcome->verdict == FAIL)
        explain(fault, outcome);
    else
        outcome->deviation = deviation_here(fault->name, NULL);
    judge_interrupts(fault, outcome);
    if (fault->flags & FAULT_FATAL)
        fail(outcome, "the machine went on");
    if (outcome->result != 0)
        fail(outcome, "the code found its state wrong: %lu", outcome->result);
}
