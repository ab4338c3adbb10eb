// What there is to see of several CPUs.
#include "monitor/cpu_commands.h"

#include "lib/print.h"
#include "trap/stacks.h"

void command_cpus(char *argument)
{
    (void)argument;
    print("CPU  APIC ID  struct cpu           traps\n");
    for (unsigned number = 0; number < cpu_count; number++) {
        const struct cpu *cpu = cpu_at(number);
        print("%3u  %7u  0x%016lx  %6lu%s\n", number, cpu->apic_id, (uint64_t)cpu, cpu->traps_taken,
              cpu == this_cpu() ? "  the monitor's" : "");
    }
}
