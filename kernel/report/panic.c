// The panic report. It prints what it knows in an order that survives a broken machine: the
// certain facts first, the walk through memory last.
#include "report/panic.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "console/console.h"
#include "cpu/x86.h"
#include "devices/stop.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/version.h"
#include "report/backtrace.h"
#include "report/bad_return.h"
#include "report/describe.h"
#include "report/machine_check.h"
#include "report/others.h"
#include "report/report.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

static unsigned depth;             ///< of panics: 1 in the report, 2 if that traps itself
static const struct regs *subject; ///< the trap that the report is about, or null

/// The CPU whose panic it is. Others that panic as well are in the report.
static _Atomic(const struct cpu *) reporter;

static _Noreturn void stop(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

static _Noreturn void halt(void)
{
    others_report();
    print("Barestub %s\nSystem Halted.\n", version);
    stop();
}

/// The report has trapped, with @regs, or null for a panic() in it. Whatever it used may be broken,
/// so this must use no more than a buffer and the serial line.
static _Noreturn void last_word(const struct regs *regs)
{
    char text[256];
    size_t length;
    if (regs)
        length = print_to(text, sizeof(text),
                          "\nTrap %u at 0x%lx inside the panic report.\n"
                          "Error 0x%lx, CR2 0x%lx.\n",
                          regs->vector, regs->rip, regs->error_code, read_cr2());
    else
        length = print_to(text, sizeof(text), "\nPanic inside the panic report.\n");
    console_last_word(text, length);
    if (subject) {
        length =
            print_to(text, sizeof(text), "The report was about trap %u at 0x%lx, error 0x%lx.\n",
                     subject->vector, subject->rip, subject->error_code);
        console_last_word(text, length);
    }
    length = print_to(text, sizeof(text), "System Halted.\n");
    console_last_word(text, length);
    stop();
}

/// Whether this CPU is the first that panics, or panics again.
static bool is_reporter(void)
{
    const struct cpu *nobody = NULL;
    return atomic_compare_exchange_strong(&reporter, &nobody, this_cpu()) || nobody == this_cpu();
}

/// Every panic comes by here. Each depth must do less than the one above it.
static void enter(const struct regs *regs)
{
    cli();
    if (cpu_count > 1 && !is_reporter())
        stop_here(regs); // which is where the report tells of it
    switch (depth++) {
    case 0:
        subject = regs;
        console_take_over();
        return;
    case 1:
        last_word(regs);
    default:
        stop();
    }
}

static void report_control_registers(const struct regs *regs)
{
    char words[48];
    if (regs->vector == VECTOR_PF)
        print("CR2     0x%016lx\n", read_cr2());
    if (regs->vector == VECTOR_DB) {
        describe_dr6(read_dr6(), words, sizeof(words));
        print("DR6     0x%016lx %s\n", read_dr6(), words);
    }
    if (regs->vector == VECTOR_MC)
        machine_check_report();
    print("CR0=%016lx CR3=%016lx CR4=%016lx\n", read_cr0(), read_cr3(), read_cr4());
}

/// A double fault whose first fault touched a guard page is a stack that ran over.
static void report_stack_overflow(const struct regs *regs)
{
    const struct stack *stack = stack_guarded_at(read_cr2());
    if ((regs->vector == VECTOR_DF || regs->vector == VECTOR_PF) && stack)
        print("Cause   %s overflow: 0x%lx is in its guard page\n", stack->name, read_cr2());
}

/// A frame that cannot be returned to: what is wrong with it, and all of it, beside the trap's own.
static void report_bad_return(const struct regs *regs)
{
    struct return_frame frame;
    char words[64];
    if (!bad_return_frame(regs, &frame))
        return;
    bad_return_describe(regs, words, sizeof(words));
    print("Cause   bad return frame: %s\n", words);
    print("Return  RIP=%016lx CS=%016lx RFLAGS=%016lx\n", frame.rip, frame.cs, frame.rflags);
    print("        RSP=%016lx SS=%016lx\n", frame.rsp, frame.ss);
}

void panic_trap(struct regs *regs)
{
    enter(regs);
    const struct vector_info *info = vector_info(regs->vector);
    if (info)
        print("\nKERNEL PANIC: %s\n", info->name);
    else
        print("\nKERNEL PANIC: Interrupt %u without a handler\n", regs->vector);
    others_name_this();
    report_event(regs);
    stop_others();
    report_stack_overflow(regs);
    report_bad_return(regs);
    report_regs(regs);
    report_control_registers(regs);
    report_code(regs);
    print("Backtrace\n");
    backtrace_trap(regs);
    halt();
}

void panic(const char *format, ...)
{
    char text[256];
    enter(NULL);
    va_list arguments;
    va_start(arguments, format);
    print_to_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    print("\nKERNEL PANIC: %s\n", text);
    others_name_this();
    stop_others();
    print("Backtrace\n");
    backtrace((uint64_t)__builtin_return_address(0), *(const uint64_t *)__builtin_frame_address(0));
    halt();
}
