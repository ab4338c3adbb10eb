// panic(), for everything in the kernel: it is called from below and defined above, in
// report/panic.c, and is the one thing that is.
#pragma once

/// Report @format (as print()) with a backtrace and halt: for what is no trap.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
