// Looking things up in the catalogue.
#include "faults/catalogue.h"

#include "lib/string.h"

extern const struct fault faults_start[], faults_end[];
extern const struct expectation expectations_start[], expectations_end[];

const struct fault *fault_first(void)
{
    return faults_start;
}

const struct fault *fault_end(void)
{
    return faults_end;
}

const char *fault_name(size_t index)
{
    const struct fault *fault = faults_start + index;
    return fault < faults_end ? fault->name : NULL;
}

const struct fault *fault_find(const char *name)
{
    for (const struct fault *fault = faults_start; fault < faults_end; fault++)
        if (strcmp(fault->name, name) == 0)
            return fault;
    return NULL;
}

/// The first expectation of @fault or of an entry behind it. The linker takes entries and
/// expectations in the same order.
static const struct expectation *expectations_from(const struct fault *fault)
{
    const struct expectation *low = expectations_start, *high = expectations_end;
    while (low < high) {
        const struct expectation *middle = low + (high - low) / 2;
        if (middle->fault < fault)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct expectation *fault_expectation(const struct fault *fault,
                                            const struct expectation *after)
{
    const struct expectation *next = after ? after + 1 : expectations_from(fault);
    return next < expectations_end && next->fault == fault ? next : NULL;
}

static uint64_t address_on(const struct cpu *cpu, uint64_t address)
{
    return address / CPU_REGION_SIZE == CPU_BASE / CPU_REGION_SIZE ? cpu_address(cpu, address)
                                                                   : address;
}

struct expectation expectation_on(const struct cpu *cpu, const struct expectation *expected)
{
    struct expectation due = *expected;
    due.cr2 = address_on(cpu, due.cr2);
    due.rsp = address_on(cpu, due.rsp);
    return due;
}

bool expected_register(const struct expectation *expected, unsigned number,
                       struct expected_register *found)
{
    static const char *const names[] = {
#define NOTE(text)
#define OFFSET(name, field, offset) #field,
#include "trap/regs.def"
#undef OFFSET
#undef NOTE
    };
    unsigned before = 0;
    for (size_t place = 0; expected->registers >> place; place++) {
        if (!(expected->registers >> place & 1) || before++ != number)
            continue;
        *found = (struct expected_register){names[place], expected->values[number], place};
        return true;
    }
    return false;
}

/// Whether a handler must see it.
static bool is_trap(const struct expectation *expected)
{
    return !(expected->flags & (EXPECT_INTERRUPTED | EXPECT_UNDELIVERED));
}

const struct expectation *fault_expected_trap(const struct fault *fault, size_t number)
{
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (is_trap(expected) && number-- == 0)
            return expected;
    return NULL;
}
