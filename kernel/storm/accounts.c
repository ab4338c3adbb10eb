// The accounts of a storm.
#include "storm/accounts.h"

#include <stddef.h>

#include "cpu/layout.h"
#include "storm/paint.h"
#include "trap/stacks.h"

static void note_count(struct storm *storm, unsigned vector, uint64_t raised, uint64_t came)
{
    storm_note(storm, (struct wrong){
                          .what = WRONG_COUNT, .vector = vector, .raised = raised, .came = came});
}

/// Those of this CPU: more may come from outside.
static void check_nmis(struct storm *storm)
{
    uint64_t came = storm->came[VECTOR_NMI] - storm->nmis_taken;
    if (came < storm->raised[VECTOR_NMI])
        note_count(storm, VECTOR_NMI, storm->raised[VECTOR_NMI], came);
    if (storm->nmis_taken != storm->nmis_sent)
        note_count(storm, VECTOR_NMI, storm->nmis_sent, storm->nmis_taken);
}

void accounts_check_counts(struct storm *storm)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        uint64_t due = storm->raised[vector] - storm->merged[vector];
        if (vector != VECTOR_NMI && storm->came[vector] != due)
            note_count(storm, vector, due, storm->came[vector]);
    }
    check_nmis(storm);
}

static const uint64_t stacks[] = {KERNEL_STACK_LOW, DF_STACK_LOW, MC_STACK_LOW};

_Static_assert(sizeof(stacks) / sizeof(stacks[0]) == STORM_STACKS, "each has its use");

uint64_t storm_stack_budget(const struct stack *stack)
{
    // What stays free of the kernel's stack is for a panic, and for a trap in that. The others are
    // no storm's.
    return stack->low == KERNEL_STACK_LOW ? stack->high - stack->low - 2 * TRAP_STACK : 0;
}

void accounts_paint_stacks(void)
{
    for (size_t i = 0; i < STORM_STACKS; i++) {
        const struct stack *stack = stack_at(stacks[i]);
        paint_stack(cpu_address(this_cpu(), stack->low), cpu_address(this_cpu(), stack->high));
    }
}

void accounts_check_stacks(struct storm *storm)
{
    for (size_t i = 0; i < STORM_STACKS; i++) {
        const struct stack *stack = stack_at(stacks[i]);
        uint64_t used =
            paint_used(cpu_address(this_cpu(), stack->low), cpu_address(this_cpu(), stack->high));
        storm->stacks[i] = (struct stack_use){stack, used};
        if (used > storm_stack_budget(stack))
            storm_note(storm, (struct wrong){.what = WRONG_STACK, .stack = stack});
    }
}

void accounts_add(struct storm *sum, const struct storm *storm)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        sum->raised[vector] += storm->raised[vector];
        sum->merged[vector] += storm->merged[vector];
        sum->came[vector] += storm->came[vector];
    }
    sum->witnesses += storm->witnesses;
    sum->shootdowns += storm->shootdowns;
    sum->nmis_sent += storm->nmis_sent;
    sum->nmis_taken += storm->nmis_taken;
    if (storm->deepest > sum->deepest)
        sum->deepest = storm->deepest;
    for (size_t i = 0; i < STORM_STACKS; i++)
        if (storm->stacks[i].bytes >= sum->stacks[i].bytes)
            sum->stacks[i] = storm->stacks[i];
    if (sum->wrong.what == NOTHING)
        sum->wrong = storm->wrong;
}
