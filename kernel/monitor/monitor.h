// The monitor: the kernel's only interface, for people at the prompt and for scripts on the kernel
// command line alike.
#pragma once

/// Run the commands of @line, separated by ';', which it takes apart in place.
void monitor_run(char *line);

/// Read and run lines for ever.
_Noreturn void monitor(void);
