// An idle CPU has no timer, which entries expect to tick.
#include "faults/elsewhere.h"

#include "devices/call.h"
#include "devices/timer.h"

struct task {
    const struct fault *fault;
    enum risk risk;
    const struct outcome *outcome;
};

static void run(void *argument)
{
    struct task *task = argument;
    timer_start();
    task->outcome = fault_run(task->fault, task->risk);
    timer_stop();
}

static void run_unhandled(void *argument)
{
    const struct task *task = argument;
    timer_start();
    fault_run_unhandled(task->fault);
    timer_stop();
}

const struct outcome *fault_run_on(struct cpu *cpu, const struct fault *fault, enum risk risk)
{
    struct task task = {.fault = fault, .risk = risk};
    if (cpu == this_cpu())
        return fault_run(fault, risk);
    call_run(cpu, run, &task);
    return task.outcome;
}

void fault_run_unhandled_on(struct cpu *cpu, const struct fault *fault)
{
    struct task task = {.fault = fault};
    if (cpu == this_cpu())
        fault_run_unhandled(fault);
    else
        call_run(cpu, run_unhandled, &task);
}
