// The state of an interrupted program, printed: shared by the panic report and the monitor.
#pragma once

#include "trap/regs.h"

/// "#PF Page Fault", "NMI Non-Maskable Interrupt" or "Vector 32"; at most 48 characters, in a
/// buffer that the next call reuses.
const char *report_vector(unsigned vector);

/// Vector and error code, in hexadecimal and in words.
void report_event(const struct regs *regs);

/// RIP, CS, RFLAGS, RSP, SS and the 15 general registers, with names and words.
void report_regs(const struct regs *regs);

/// The bytes around the saved RIP, the one at RIP marked.
void report_code(const struct regs *regs);
