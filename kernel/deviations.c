// Which emulator are we in, and what is known of it?
#include "deviations.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "string.h"
#include "x86.h"

#define CPUID_HYPERVISOR_LEAF 0x40000000
#define BOCHS_DEBUG_PORT 0xE9

struct emulator {
    const char *id, *name;
};

static const struct emulator qemu_tcg = {"qemu-tcg", "QEMU TCG"};
static const struct emulator bochs = {"bochs", "Bochs"};
static const struct emulator unknown = {"", "this machine"};

/// TCG signs itself in the hypervisor leaf; Bochs echoes its debug port (as TCG does, if asked to).
static const struct emulator *emulator(void)
{
    struct cpuid leaf = cpuid(CPUID_HYPERVISOR_LEAF, 0);
    const uint32_t signature[] = {leaf.ebx, leaf.ecx, leaf.edx};
    if (memcmp(signature, "TCGTCGTCGTCG", sizeof(signature)) == 0)
        return &qemu_tcg;
    return inb(BOCHS_DEBUG_PORT) == BOCHS_DEBUG_PORT ? &bochs : &unknown;
}

const char *deviation_reason(const char *name)
{
    for (const struct deviation *deviation = deviations; deviation->name; deviation++)
        if (strcmp(deviation->name, name) == 0 &&
            strcmp(deviation->emulator, emulator()->id) == 0)
            return deviation->reason;
    return NULL;
}

const char *emulator_name(void)
{
    return emulator()->name;
}
