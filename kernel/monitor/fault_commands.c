// The monitor's commands around the catalogue: raising faults and telling what was seen.
#include "monitor/fault_commands.h"

#include <stdbool.h>

#include "cpu/x86.h"
#include "devices/call.h"
#include "faults/deviations.h"
#include "faults/elsewhere.h"
#include "faults/faults.h"
#include "faults/interruptions.h"
#include "faults/program_lines.h"
#include "lib/minimum.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/cpu_commands.h"
#include "monitor/folded.h"
#include "monitor/pager.h"
#include "monitor/suggest.h"
#include "report/describe.h"
#include "report/frame.h"
#include "report/report.h"
#include "report/symbols.h"
#include "trap/vectors.h"

#define DETAIL 12 // columns in front of what stands below a word such as "verdict"

static bool is_several(const char *words)
{
    while (*words && *words != ' ')
        words++;
    return *words == ' ';
}

const struct fault *fault_need(const char *name)
{
    const struct fault *fault = fault_find(name);
    if (fault)
        return fault;
    if (name[0] == '\0')
        print("Which fault? `list` shows what there is.\n");
    else if (is_several(name))
        print("The name of one fault is wanted, perhaps with `on N`, not \"%s\".\n", name);
    else
        suggest("fault", name, fault_name, "`list` shows what there is.");
    command_failed();
    return NULL;
}

bool fault_is_seen_here(const struct fault *fault)
{
    return cpu_has(fault->needs) && deviation_here(fault->name, NULL) == NULL;
}

/// Where it can be seen instead.
static void print_where(const struct fault *fault)
{
    const struct emulator *emulator = deviation_free(fault->name, fault->needs);
    if (emulator)
        print("            Run this under %s: `%s`\n", emulator->name, emulator->command);
    else
        print("            No emulator that we know shows it.\n");
}

static void print_expected(const struct expectation *expected)
{
    char rip[56];
    print("  expected  %s, ", report_vector(expected->vector));
    if (expected->flags & EXPECT_INTERRUPTED) {
        print("at least once\n");
        return;
    }
    if (expected->flags & EXPECT_UNDELIVERED) {
        print("in vain\n");
        return;
    }
    print(expected->flags & EXPECT_CODE ? "error 0x%x" : "no error code", expected->error_code);
    if (expected->flags & EXPECT_OR_CODE)
        print(" or 0x%x", expected->or_code);
    print("\n");
    symbols_describe(expected->rip, rip, sizeof(rip));
    print("            at %s", expected->flags & EXPECT_ANYWHERE ? "any instruction" : rip);
    if (expected->flags & EXPECT_CR2)
        print(", CR2 0x%lx", expected->cr2);
    if (expected->flags & EXPECT_DR6)
        print(", DR6 causes 0x%lx", expected->dr6);
    print("\n");
    struct expected_register due;
    for (unsigned i = 0; expected_register(expected, i, &due); i++)
        print("            %s 0x%lx\n", due.name, due.value);
}

static void print_seen(const struct record *seen)
{
    char words[72];
    const struct regs *regs = &seen->regs;
    print("  came      %s, ", report_vector(regs->vector));
    print(seen->code_pushed ? "error 0x%lx\n" : "no error code\n", regs->error_code);
    symbols_describe(regs->rip, words, sizeof(words));
    print("            at %s", words);
    if (regs->vector == VECTOR_PF)
        print(", CR2 0x%lx", seen->cr2);
    print("\n");
    if (seen->code_pushed) {
        describe_error(regs->vector, regs->error_code, words, sizeof(words));
        print("            %s\n", words);
    }
    if (seen->bad_return[0])
        print("            bad return frame: %s\n", seen->bad_return);
    if (regs->vector == VECTOR_DB) {
        describe_dr6(seen->dr6, words, sizeof(words));
        print("            DR6 %s\n", words);
    }
}

/// Why this machine, or another version of it, is known to show it otherwise.
static void print_deviation(const struct outcome *outcome)
{
    char text[200 + DETAIL];
    print_to(text, sizeof(text),
             outcome->verdict == PASS ? "            unlike other versions of %s: %s"
                                      : "            %s: %s",
             emulator_name(), outcome->deviation->reason);
    folded_print(text, DETAIL);
}

static void print_verdict(const struct outcome *outcome)
{
    static const char *const words[] = {
        [PASS] = "as the architecture says",
        [FAIL] = "WRONG: ",
        [KNOWN] = "known to differ: ",
        [SKIP] = "not run: ",
    };
    char text[sizeof("  verdict   known to differ: ") + sizeof(outcome->reason)];
    print_to(text, sizeof(text), "  verdict   %s%s", words[outcome->verdict],
             outcome->verdict == PASS ? "" : outcome->reason);
    folded_print(text, DETAIL);
}

static size_t kept_traps(const struct outcome *outcome)
{
    return minimum(outcome->count, TRAPS_LIMIT);
}

static void print_expect_lines(const struct cpu *cpu, const struct fault *fault)
{
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected))) {
        const struct expectation due = expectation_on(cpu, expected);
        expect_line_print(fault, &due);
    }
}

/// The same for programs, a line each: what is due, what came, the verdict.
static void print_program_lines(const struct cpu *cpu, const struct fault *fault,
                                const struct outcome *outcome)
{
    static const char *const verdicts[] = {"pass", "fail", "known", "skip"};
    print_expect_lines(cpu, fault);
    for (size_t i = 0; i < kept_traps(outcome); i++)
        trap_line_print(&outcome->traps[i], fault->name, fault_expected_trap(fault, i));
    print("result: name=%s %s%s%s\n", fault->name, verdicts[outcome->verdict],
          outcome->reason[0] ? " " : "", outcome->reason);
}

void fault_print_head(const struct fault *fault)
{
    print("%s, ring %u: %s\n", fault->name, fault->ring, fault->summary);
}

void fault_print_traps(const struct outcome *outcome, size_t limit)
{
    for (size_t i = 0; i < kept_traps(outcome) && i < limit; i++)
        print_seen(&outcome->traps[i]);
}

void fault_print_verdict(const struct fault *fault, const struct outcome *outcome)
{
    print_verdict(outcome);
    if (outcome->deviation && outcome->verdict != FAIL)
        print_deviation(outcome);
    if (outcome->verdict != PASS && !fault_is_seen_here(fault))
        print_where(fault);
}

/// What the devices' own handlers took, of which nothing is kept.
static void print_interruptions(const struct fault *fault)
{
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (expected->flags & EXPECT_INTERRUPTED && interruption_came(fault, expected))
            print("  came      %s, to its own handler\n", report_vector(expected->vector));
}

/// @argument: an entry's name, and perhaps the CPU.
static void raise(char *argument, enum risk risk)
{
    struct cpu *cpu = cpu_cut(argument);
    const struct fault *fault = cpu ? fault_need(argument) : NULL;
    if (fault == NULL)
        return;
    fault_print_head(fault);
    if (cpu != this_cpu())
        print("  on CPU    %u\n", cpu_number(cpu));
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected))) {
        const struct expectation due = expectation_on(cpu, expected);
        print_expected(&due);
    }
    if (fault->flags & FAULT_FATAL) {
        command_tell_failed();
        print("  expected  shutdown: the machine resets\n");
        print_expect_lines(cpu, fault);
    }
    const struct outcome *outcome = fault_run_on(cpu, fault, risk);
    fault_print_traps(outcome, TRAPS_LIMIT);
    if (outcome->verdict != SKIP)
        print_interruptions(fault);
    fault_print_verdict(fault, outcome);
    print_program_lines(cpu, fault, outcome);
    if (outcome->verdict == FAIL)
        command_failed();
}

void command_raise(char *argument)
{
    raise(argument, RISK_NOTHING);
}

void command_force(char *argument)
{
    raise(argument, RISK_ALL);
}

/// The last trap of the catalogue; where there is none, say so.
static const struct record *need_trap(void)
{
    const struct record *record = fault_last_trap();
    if (record == NULL)
        print("No trap is kept yet; an interrupt goes to its own handler. Try `raise bp-int3`.\n");
    return record;
}

/// The trap that came as number @text of the last entry; where there is none, say so.
static const struct record *need_numbered_trap(const char *text)
{
    unsigned number;
    if (!parse_number(text, UINT32_MAX, &number)) {
        command_refuse("`frame` takes the number of a trap, from 1", text);
        return NULL;
    }
    const struct record *record = fault_trap(number);
    if (record == NULL) {
        print("No trap number %u of the last fault is kept.\n", number);
        command_failed();
    }
    return record;
}

void command_frame(char *argument)
{
    const struct record *record = argument[0] ? need_numbered_trap(argument) : need_trap();
    if (record == NULL)
        return;
    if (!pager_room(FRAME_ARRIVAL_ROWS))
        return;
    frame_draw_arrival(record);
    if (pager_room(FRAME_REGISTER_ROWS))
        frame_draw_registers(record);
}

void command_regs(char *argument)
{
    (void)argument;
    const struct record *record = need_trap();
    if (record == NULL)
        return;
    report_event(&record->regs);
    report_regs(&record->regs);
    report_code(&record->regs);
}

/// KTAP, version 1: one line a fault; TODO marks a deviation of the emulator that is known.
void command_check(char *argument)
{
    size_t number = 0;
    struct cpu *cpu = cpu_cut(argument);
    if (cpu == NULL)
        return;
    if (argument[0]) {
        command_refuse("`check` takes nothing but `on N`", argument);
        return;
    }
    print("KTAP version 1\n1..%lu\n", (size_t)(fault_end() - fault_first()));
    for (const struct fault *fault = fault_first(); fault < fault_end(); fault++) {
        if (fault->flags & FAULT_FATAL) {
            print("ok %lu %s # SKIP it resets the machine\n", ++number, fault->name);
            continue;
        }
        print("# %s\n", fault->name); // before it runs: it may hang
        const struct outcome *outcome = fault_run_on(cpu, fault, RISK_NOTHING);
        bool ok = outcome->verdict == PASS || outcome->verdict == SKIP;
        print("%s %lu %s", ok ? "ok" : "not ok", ++number, fault->name);
        if (outcome->verdict == SKIP)
            print(" # SKIP %s", outcome->reason);
        if (outcome->verdict == KNOWN)
            print(" # TODO %s: %s", emulator_name(), outcome->deviation->reason);
        print("\n");
        if (outcome->verdict == FAIL) {
            print("# %s\n", outcome->reason);
            command_failed();
        }
    }
}

static void undefined(void *argument)
{
    (void)argument;
    ud2();
}

/// An unhandled trap: without the catalogue's handlers nobody expects it.
void command_panic(char *argument)
{
    struct cpu *cpu = cpu_cut(argument);
    if (cpu == NULL)
        return;
    if (argument[0] == '\0' && cpu != this_cpu())
        call_run(cpu, undefined, NULL);
    if (argument[0] == '\0')
        ud2();
    const struct fault *fault = fault_need(argument);
    if (fault == NULL)
        return;
    char reason[80], text[96];
    if (fault_can_run(cpu, fault, RISK_NOTHING, reason, sizeof(reason))) {
        fault_print_head(fault);
        fault_run_unhandled_on(cpu, fault);
        print("No trap came.\n");
    } else {
        print_to(text, sizeof(text), "Not here: %s.", reason);
        folded_print(text, 0);
        print_where(fault);
    }
    command_failed();
}
