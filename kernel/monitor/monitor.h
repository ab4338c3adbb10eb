// The monitor: the kernel's only interface, for people at the prompt and for scripts on the kernel
// command line alike.
#pragma once

/// Run the commands of @line, separated by ';'.
void monitor_run(const char *line);

/// Read and run lines for ever.
_Noreturn void monitor(void);
