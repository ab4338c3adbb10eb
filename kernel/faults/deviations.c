// Which emulator are we in, and what is known of it and of the others?
#include "faults/deviations.h"

#include <stddef.h>

#include "cpu/x86.h"
#include "lib/print.h"
#include "lib/string.h"

#define CPUID_HYPERVISOR_LEAF 0x40000000
#define CPUID_HYPERVISOR      (1u << 31) // of leaf 1, ECX: reserved for software to say so
#define BOCHS_DEBUG_PORT      0xE9
#define SILICON               "silicon"

extern const struct deviation deviations_start[], deviations_end[];

/// TCG signs itself in the hypervisor leaf; Bochs echoes its debug port (as TCG does, if asked to).
static const char *emulator_id(void)
{
    struct cpuid leaf = cpuid(CPUID_HYPERVISOR_LEAF, 0);
    const uint32_t signature[] = {leaf.ebx, leaf.ecx, leaf.edx};
    if (memcmp(signature, "TCGTCGTCGTCG", sizeof(signature)) == 0)
        return "qemu-tcg";
    return inb(BOCHS_DEBUG_PORT) == BOCHS_DEBUG_PORT ? "bochs" : SILICON;
}

static const struct deviation *deviation_in(const char *emulator, const char *name,
                                            const struct deviation *after)
{
    for (const struct deviation *row = after ? after + 1 : deviations_start; row < deviations_end;
         row++)
        if (strcmp(row->name, name) == 0 && strcmp(row->emulator, emulator) == 0)
            return row;
    return NULL;
}

const struct deviation *deviation_here(const char *name, const struct deviation *after)
{
    return deviation_in(emulator_id(), name, after);
}

const struct deviation *deviation_unsafe(const char *name)
{
    const struct deviation *row = NULL;
    while ((row = deviation_here(name, row)))
        if (row->is_unsafe)
            return row;
    return NULL;
}

/// Where an expectation has each field, and the flag by which it counts.
static const struct {
    size_t offset, size;
    uint16_t flag; ///< 0: it always counts
    bool is_open;  ///< what the flag says
} fields[] = {
#define PLACE(field) offsetof(struct expectation, field), sizeof(((struct expectation *)0)->field)
    [FIELD_VECTOR] = {PLACE(vector), 0, false},
    [FIELD_ERROR] = {PLACE(error_code), EXPECT_CODE, false},
    [FIELD_RIP] = {PLACE(rip), EXPECT_ANYWHERE, true},
    [FIELD_CS] = {PLACE(cs), EXPECT_CS, false},
    [FIELD_SS] = {PLACE(ss), EXPECT_SS, false},
    [FIELD_RSP] = {PLACE(rsp), EXPECT_RSP, false},
    [FIELD_CR2] = {PLACE(cr2), EXPECT_CR2, false},
    [FIELD_DR6] = {PLACE(dr6), EXPECT_DR6, false},
    [FIELD_RFLAGS_SET] = {PLACE(rflags_set), 0, false},
    [FIELD_RFLAGS_CLEAR] = {PLACE(rflags_clear), 0, false},
#undef PLACE
};

static void apply(struct expectation *expected, const struct override *override)
{
    char *at = (char *)expected + fields[override->field].offset;
    size_t size = fields[override->field].size;
    uint64_t value = 0;
    memcpy(&value, at, size);
    value = override->kind == OVERRIDE_ADD ? value + override->value : override->value;
    memcpy(at, &value, size);

    bool is_open = override->kind == OVERRIDE_ANY || override->kind == OVERRIDE_NONE;
    uint16_t flag = fields[override->field].flag;
    if (override->field == FIELD_ERROR)
        expected->flags &= (uint16_t)~EXPECT_OR_CODE;
    if (is_open == fields[override->field].is_open)
        expected->flags |= flag;
    else
        expected->flags &= (uint16_t)~flag;
}

/// What is expected of a trap that the architecture does not have: nothing but no error code. Its
/// RIP counts from that of the last one that it has.
static struct expectation nothing_expected(const struct fault *fault)
{
    struct expectation blank = {.flags = EXPECT_ANYWHERE};
    const struct expectation *last = NULL;
    while ((last = fault_expectation(fault, last)))
        blank.rip = last->rip;
    return blank;
}

struct expectation deviation_expectation(const struct fault *fault,
                                         const struct deviation *deviation, size_t number)
{
    const struct expectation *due = fault_expected_trap(fault, number);
    struct expectation expected = due ? *due : nothing_expected(fault);
    for (size_t i = 0; i < deviation->override_count; i++)
        if (deviation->overrides[i].trap == number)
            apply(&expected, &deviation->overrides[i]);
    return expected;
}

const struct emulator *deviation_free(const char *name, enum feature feature)
{
    for (const struct emulator *emulator = emulators; emulator->id; emulator++)
        if (!(emulator->lacks >> feature & 1) && deviation_in(emulator->id, name, NULL) == NULL)
            return emulator;
    return NULL;
}

/// CPUID's three registers of a vendor's or a hypervisor's name, as text.
static void copy_signature(char *text, uint32_t first, uint32_t second, uint32_t third)
{
    const uint32_t signature[] = {first, second, third};
    memcpy(text, signature, sizeof(signature));
    text[sizeof(signature)] = '\0';
}

/// The CPU, and the hypervisor if there is one: what we see may be either's work. SDM vol. 2,
/// CPUID, figure 3-6.
static const char *silicon_name(void)
{
    static char name[72];
    char vendor[13], hypervisor[13];
    struct cpuid leaf = cpuid(0, 0);
    copy_signature(vendor, leaf.ebx, leaf.edx, leaf.ecx);
    leaf = cpuid(1, 0);
    unsigned family = leaf.eax >> 8 & 0xF, model = leaf.eax >> 4 & 0xF;
    if (family == 6 || family == 15)
        model |= leaf.eax >> 12 & 0xF0;
    if (family == 15)
        family += leaf.eax >> 20 & 0xFF;
    bool is_guest = leaf.ecx & CPUID_HYPERVISOR;
    leaf = cpuid(CPUID_HYPERVISOR_LEAF, 0);
    copy_signature(hypervisor, leaf.ebx, leaf.ecx, leaf.edx);
    print_to(name, sizeof(name), "%s family %u model %u%s%s", vendor, family, model,
             is_guest ? " under the hypervisor " : "", is_guest ? hypervisor : "");
    return name;
}

const char *emulator_name(void)
{
    const char *id = emulator_id();
    for (const struct emulator *emulator = emulators; emulator->id; emulator++)
        if (strcmp(emulator->id, id) == 0)
            return emulator->name;
    return silicon_name();
}
