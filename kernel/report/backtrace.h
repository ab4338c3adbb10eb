// Who called whom, by frame pointers, across traps and rings.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "trap/regs.h"

/// Print one line per frame, from the code at @rip with frame pointer @rbp outwards.
void backtrace(uint64_t rip, uint64_t rbp);

/// The same from the code that the trap @regs has interrupted.
void backtrace_trap(const struct regs *regs);

/// Copy into @regs the frame of the trap in whose handling a function with frame pointer @rbp has
/// been called, the innermost one. Returns false if there is none.
bool backtrace_find_trap(uint64_t rbp, struct regs *regs);
