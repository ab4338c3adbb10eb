// The monitor's commands about the CPUs. @argument is as in struct command.
#pragma once

/// List them.
void command_cpus(char *argument);
