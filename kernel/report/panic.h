// The end of the road: a complete report, then halt.
#pragma once

#include "trap/regs.h"

/// Report the unhandled trap @regs in full and halt. If the report traps itself, the serial line
/// says so; if that traps, too, the machine halts in silence.
_Noreturn void panic_trap(struct regs *regs);
