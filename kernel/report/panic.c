// The panic report. It prints what it knows in an order that survives a broken machine: the
// certain facts first, the walk through memory last.
#include "report/panic.h"

#include <stdarg.h>
#include <stdbool.h>

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/print.h"
#include "report/backtrace.h"
#include "report/describe.h"
#include "report/machine_check.h"
#include "report/report.h"
#include "trap/vectors.h"

static bool panicking;

static _Noreturn void halt(void)
{
    print("System Halted.\n");
    for (;;) {
        cli();
        hlt();
    }
}

/// A trap on the way through the report must not start another one.
static void enter(const struct regs *regs)
{
    cli();
    if (!panicking) {
        panicking = true;
        return;
    }
    if (regs)
        print("\nTrap %u at 0x%lx inside the panic report.\n", regs->vector, regs->rip);
    else
        print("\nPanic inside the panic report.\n");
    halt();
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
    const struct stack *stack = cpu_guarded_stack(read_cr2());
    if ((regs->vector == VECTOR_DF || regs->vector == VECTOR_PF) && stack)
        print("Cause   %s overflow: 0x%lx is in its guard page\n", stack->name, read_cr2());
}

void panic_trap(const struct regs *regs)
{
    enter(regs);
    const struct vector_info *info = vector_info(regs->vector);
    if (info)
        print("\nKERNEL PANIC: %s\n", info->name);
    else
        print("\nKERNEL PANIC: Interrupt %u without a handler\n", regs->vector);
    report_event(regs);
    report_stack_overflow(regs);
    report_regs(regs);
    report_control_registers(regs);
    report_code(regs);
    print("Backtrace\n");
    backtrace(regs->rip, regs->rbp);
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
    print("Backtrace\n");
    backtrace((uint64_t)__builtin_return_address(0), *(const uint64_t *)__builtin_frame_address(0));
    halt();
}
