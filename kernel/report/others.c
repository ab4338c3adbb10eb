// What is told of a CPU is what lies on its stack, where it has been stopped.
#include "report/others.h"

#include <stdbool.h>

#include "cpu/x86.h"
#include "lib/print.h"
#include "report/backtrace.h"
#include "report/report.h"
#include "report/symbols.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

void others_name_this(void)
{
    if (cpu_count > 1)
        print("CPU     %u (of 0 to %u)\n", cpu_number(this_cpu()), cpu_count - 1);
}

static void report_one(unsigned number, const struct regs *regs)
{
    struct regs trap;
    char name[56];
    if (regs == NULL) {
        print("  CPU %u  does not answer the NMI\n", number);
        return;
    }
    print("  CPU %u  RIP=%016lx RSP=%016lx\n", number, regs->rip, regs->rsp);
    symbols_describe(regs->rip, name, sizeof(name));
    print("         in %s\n", name);
    if (regs->vector != VECTOR_NMI) // of stop_others()
        print("         also panicked: %s\n", report_vector(regs->vector));
    bool is_ring3 = regs->cs & SELECTOR_RPL; // RBP is then whatever it likes
    if (is_ring3 || !backtrace_find_trap(regs->rbp, &trap))
        return;
    symbols_describe(trap.rip, name, sizeof(name));
    print("         handling %s\n", report_vector(trap.vector));
    print("         of RIP=%016lx %s\n", trap.rip, name);
}

void others_report(void)
{
    if (cpu_count == 1)
        return;
    print("Other CPUs\n");
    for (unsigned number = 0; number < cpu_count; number++)
        if (cpu_at(number) != this_cpu())
            report_one(number, cpu_at(number)->stopped);
}
