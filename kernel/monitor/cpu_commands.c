// What there is to see of several CPUs.
#include "monitor/cpu_commands.h"

#include <stdbool.h>
#include <stddef.h>

#include "devices/call.h"
#include "devices/lapic.h"
#include "faults/tlb.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/commands.h"

/// The word `on` in @text, or null.
static char *find_on(char *text)
{
    for (char *at = text; *at; at++)
        if ((at == text || at[-1] == ' ') && strncmp(at, "on", 2) == 0 &&
            (at[2] == ' ' || at[2] == '\0'))
            return at;
    return NULL;
}

struct cpu *cpu_cut(char *argument)
{
    unsigned number;
    char *end = find_on(argument);
    if (end == NULL)
        return this_cpu();
    char *text = end + 2;
    while (*text == ' ')
        text++;
    if (text[0] == '\0') {
        command_refuse("`on` takes the number of a CPU", text);
        return NULL;
    }
    if (!parse_number(text, cpu_count, &number)) {
        print("There is no CPU \"%s\". `cpus` lists those that run, %u in all.\n", text, cpu_count);
        if (cpu_count == 1)
            print("`make run CPUS=4` starts a machine that has more.\n");
        command_failed();
        return NULL;
    }
    while (end > argument && end[-1] == ' ')
        end--;
    *end = '\0';
    return cpu_at(number);
}

static void tell(void *argument)
{
    (void)argument;
    const struct cpu *cpu = this_cpu();
    print("CPU %u: %s ID %u, region 0x%lx", cpu_number(cpu), lapic_mode(), cpu->apic_id,
          (uint64_t)cpu);
    print(", %lu trap%s", cpu->traps_taken, cpu->traps_taken == 1 ? "" : "s");
    print(cpu == cpu_at(0) ? "; the monitor runs here\n" : "\n");
}

void command_cpus(char *argument)
{
    (void)argument;
    for (unsigned number = 1; number < cpu_count; number++)
        call_start(cpu_at(number), tell, NULL);
    tell(NULL);
    for (unsigned number = 1; number < cpu_count; number++)
        call_wait(cpu_at(number));
}

static unsigned count(const bool *found)
{
    unsigned number = 0;
    for (unsigned i = 0; i < cpu_count; i++)
        number += found[i];
    return number;
}

void command_tlb(char *argument)
{
    (void)argument;
    struct tlb_trial trial;
    for (unsigned number = 0; number < cpu_count; number++) {
        tlb_try(cpu_at(number), &trial);
        print("CPU %u changes a page: %u of the %u others read the old one, %u behind the "
              "shootdown\n",
              number, count(trial.is_stale), cpu_count - 1, count(trial.is_stale_yet));
        if (count(trial.is_stale_yet))
            command_failed();
    }
}
