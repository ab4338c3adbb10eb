// The stacks of a CPU, each above an unmapped guard page: see cpu/layout.def.
#include "trap/stacks.h"

#include <stddef.h>

#include "cpu/paging.h"

static const struct stack stacks[] = {
    {"kernel stack", KERNEL_STACK_LOW, KERNEL_STACK_HIGH},
    {"#DF stack", DF_STACK_LOW, DF_STACK_HIGH},
    {"#MC stack", MC_STACK_LOW, MC_STACK_HIGH},
};

#define STACK_COUNT (sizeof(stacks) / sizeof(stacks[0]))

const struct stack *stack_at(uint64_t address)
{
    for (size_t i = 0; i < STACK_COUNT; i++)
        if (address >= stacks[i].low && address < stacks[i].high)
            return &stacks[i];
    return NULL;
}

const struct stack *stack_guarded_at(uint64_t address)
{
    for (size_t i = 0; i < STACK_COUNT; i++)
        if (address >= stacks[i].low - PAGE_SIZE && address < stacks[i].low)
            return &stacks[i];
    return NULL;
}
