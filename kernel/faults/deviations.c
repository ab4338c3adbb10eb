// Which emulator are we in, and what is known of it and of the others?
#include "faults/deviations.h"

#include <stddef.h>

#include "cpu/x86.h"
#include "lib/string.h"

#define CPUID_HYPERVISOR_LEAF 0x40000000
#define BOCHS_DEBUG_PORT      0xE9

/// TCG signs itself in the hypervisor leaf; Bochs echoes its debug port (as TCG does, if asked to).
static const char *emulator_id(void)
{
    struct cpuid leaf = cpuid(CPUID_HYPERVISOR_LEAF, 0);
    const uint32_t signature[] = {leaf.ebx, leaf.ecx, leaf.edx};
    if (memcmp(signature, "TCGTCGTCGTCG", sizeof(signature)) == 0)
        return "qemu-tcg";
    return inb(BOCHS_DEBUG_PORT) == BOCHS_DEBUG_PORT ? "bochs" : "";
}

static const struct deviation *deviation_in(const char *emulator, const char *name)
{
    for (const struct deviation *deviation = deviations; deviation->emulator; deviation++)
        if (strcmp(deviation->name, name) == 0 && strcmp(deviation->emulator, emulator) == 0)
            return deviation;
    return NULL;
}

const struct deviation *deviation_here(const char *name)
{
    return deviation_in(emulator_id(), name);
}

const struct emulator *deviation_free(const char *name, enum feature feature)
{
    for (const struct emulator *emulator = emulators; emulator->id; emulator++)
        if (!(emulator->lacks >> feature & 1) && deviation_in(emulator->id, name) == NULL)
            return emulator;
    return NULL;
}

const char *emulator_name(void)
{
    const char *id = emulator_id();
    for (const struct emulator *emulator = emulators; emulator->id; emulator++)
        if (strcmp(emulator->id, id) == 0)
            return emulator->name;
    return "this machine";
}
