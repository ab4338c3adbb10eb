// The stacks of a CPU, each above an unmapped guard page: see cpu/layout.def.
#include "trap/stacks.h"

#include <stdbool.h>
#include <stddef.h>

#include "cpu/paging.h"

static const struct stack stacks[] = {
    {"kernel stack", KERNEL_STACK_LOW, KERNEL_STACK_HIGH},
    {"#DF stack", DF_STACK_LOW, DF_STACK_HIGH},
    {"#MC stack", MC_STACK_LOW, MC_STACK_HIGH},
};

#define STACK_COUNT (sizeof(stacks) / sizeof(stacks[0]))

unsigned cpu_count = 1;

/// Where the first CPU has what lies at @address in the region of any.
static uint64_t in_first_region(uint64_t address)
{
    bool is_in_region = address >= CPU_BASE && address < (uint64_t)cpu_at(cpu_count);
    return is_in_region ? CPU_BASE + address % CPU_REGION_SIZE : address;
}

const struct stack *stack_at(uint64_t address)
{
    address = in_first_region(address);
    for (size_t i = 0; i < STACK_COUNT; i++)
        if (address >= stacks[i].low && address < stacks[i].high)
            return &stacks[i];
    return NULL;
}

const struct stack *stack_guarded_at(uint64_t address)
{
    address = in_first_region(address);
    for (size_t i = 0; i < STACK_COUNT; i++)
        if (address >= stacks[i].low - PAGE_SIZE && address < stacks[i].low)
            return &stacks[i];
    return NULL;
}
