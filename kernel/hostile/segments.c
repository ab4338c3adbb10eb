// The descriptors, and picking among them.
#include "hostile/segments.h"

#include <stddef.h>

#include "cpu/layout.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "trap/gdt.h"
#include "trap/stacks.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// SDM vol. 3, figure 3-8.
#define BASE(address) (((address)&0xFFFFFFul) << 16 | ((uint64_t)(address) >> 24 & 0xFF) << 56)
#define LIMIT(last)   (((last)&0xFFFFul) | ((uint64_t)(last) >> 16 & 0xF) << 48)
#define PAGES(last)   (LIMIT(last) | DESCRIPTOR_G)

#define SEGMENT (DESCRIPTOR_P | DESCRIPTOR_S | DESCRIPTOR_DPL3)
#define CODE    (SEGMENT | TYPE_CODE_ER | TYPE_ACCESSED)
#define DATA    (SEGMENT | TYPE_DATA_RW | TYPE_ACCESSED)

/// A gate takes two entries: SDM vol. 3, figure 5-8.
#define CALL_GATE(code, bits)                                                                      \
    (TYPE_CALL_GATE | (HOSTILE_CODE & 0xFFFF) | (uint64_t)(code) << 16 |                           \
     (HOSTILE_CODE >> 16 & 0xFFFFul) << 48 | (bits)),                                              \
        0
#define GATE (DESCRIPTOR_P | DESCRIPTOR_DPL3)

// Those that a program can start with. The rest is for who picks any.
enum { CODE_32, CODE_32_BASED, CODE_16, DATA_32, STACK_16, STACK_DOWN, OTHERS };

/// Where the CPU would mark a segment as accessed, ring 3 gets a page fault of the supervisor's:
/// the table is read-only.
static const uint64_t table[] = {
    [CODE_32] = DESCRIPTOR_LIMIT_4G | CODE | DESCRIPTOR_D,
    [CODE_32_BASED] = BASE(HOSTILE_CODE) | LIMIT(PAGE_SIZE - 1) | CODE | DESCRIPTOR_D,
    [CODE_16] = BASE(HOSTILE_CODE) | LIMIT(PAGE_SIZE - 1) | CODE,
    [DATA_32] = DESCRIPTOR_LIMIT_4G | DATA | DESCRIPTOR_D,
    [STACK_16] = BASE(USER_STACK_LOW & ~0xFFFF) | LIMIT(0xFFFF) | DATA,
    [STACK_DOWN] = DESCRIPTOR_G | LIMIT(USER_STACK_LOW / PAGE_SIZE - 1) | DATA | TYPE_EXPAND_DOWN |
                   DESCRIPTOR_D,
    [OTHERS] = CODE | DESCRIPTOR_L,
    CODE | DESCRIPTOR_L | DESCRIPTOR_D,
    DESCRIPTOR_LIMIT_4G | CODE | TYPE_CONFORMING | DESCRIPTOR_D,
    (CODE & ~DESCRIPTOR_DPL3) | TYPE_CONFORMING | DESCRIPTOR_L,
    (CODE & ~DESCRIPTOR_DPL3) | DESCRIPTOR_L,
    (CODE & ~TYPE_ACCESSED) | DESCRIPTOR_L,
    (CODE & ~DESCRIPTOR_P) | DESCRIPTOR_L,
    DESCRIPTOR_LIMIT_4G | (DATA & ~TYPE_WRITABLE) | DESCRIPTOR_D,
    DESCRIPTOR_LIMIT_4G | (DATA & ~TYPE_ACCESSED) | DESCRIPTOR_D,
    DESCRIPTOR_LIMIT_4G | (DATA & ~DESCRIPTOR_P) | DESCRIPTOR_D,
    DESCRIPTOR_LIMIT_4G | (DATA & ~DESCRIPTOR_DPL3) | DESCRIPTOR_D,
    // Into ring 3; into ring 0, where ring 3 may not call; to data; not present.
    CALL_GATE(SELECTOR_USER_CODE, GATE),
    CALL_GATE(SELECTOR_KERNEL_CODE, GATE & ~DESCRIPTOR_DPL3),
    CALL_GATE(SELECTOR_USER_DATA, GATE),
    CALL_GATE(SELECTOR_USER_CODE, GATE & ~DESCRIPTOR_P),
};

void segments_init(void)
{
    const uint64_t base = (uint64_t)table;
    uint64_t *descriptor = &this_cpu()->gdt[SELECTOR_SPARE / 8];
    descriptor[0] = BASE(base) | LIMIT(sizeof(table) - 1) | TYPE_LDT | DESCRIPTOR_P;
    descriptor[1] = base >> 32;
}

void segments_load(bool is_wanted)
{
    lldt(is_wanted ? SELECTOR_SPARE : 0);
}

static uint16_t selector_of(unsigned entry)
{
    return (uint16_t)(entry * 8 | SELECTOR_TI | SELECTOR_RPL);
}

uint16_t segments_pick(struct random *random)
{
    return (uint16_t)(random_below(random, 64) * SELECTOR_TI | SELECTOR_RPL);
}

uint16_t segments_pick_code(struct random *random)
{
    const uint16_t selectors[] = {
        SELECTOR_USER_CODE32,
        selector_of(CODE_32),
        selector_of(CODE_32_BASED),
        selector_of(CODE_16),
    };
    return selectors[random_below(random, COUNT(selectors))];
}

uint16_t segments_pick_stack(struct random *random)
{
    const uint16_t selectors[] = {
        SELECTOR_USER_DATA,
        selector_of(DATA_32),
        selector_of(STACK_16),
        selector_of(STACK_DOWN),
    };
    return selectors[random_below(random, COUNT(selectors))];
}

uint64_t segments_base(uint16_t selector)
{
    if (!(selector & SELECTOR_TI))
        return gdt_code_base(selector);
    return descriptor_base(table[selector / 8]);
}
