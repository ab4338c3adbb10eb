// The monitor's commands about the CPUs. @argument is as in struct command.
#pragma once

#include "trap/stacks.h"

/// Cut `on N` off the end of @argument, in place, and return CPU N; without it, this one. Where
/// there is no such CPU, say so and return null.
struct cpu *cpu_cut(char *argument);

/// Have each tell of itself, all at once.
void command_cpus(char *argument);

/// Have each change a page that all have read, and see what they read then.
void command_tlb(char *argument);
