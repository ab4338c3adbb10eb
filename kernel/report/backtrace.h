// Who called whom, by frame pointers, across traps and rings.
#pragma once

#include <stdint.h>

#include "trap/regs.h"

/// Print one line per frame, from the code at @rip with frame pointer @rbp outwards.
void backtrace(uint64_t rip, uint64_t rbp);

/// The same from the code that the trap @regs has interrupted.
void backtrace_trap(const struct regs *regs);
