// Stopping the other CPUs for good, wherever they are: by NMI, which nothing holds back but another
// NMI that has not returned.
#pragma once

#include "trap/regs.h"

/// Stop all CPUs but this one, and keep where each was in its struct cpu. Those that
/// have not answered within a second, for all together, are left alone. Takes no lock.
void stop_others(void);

/// Stop this CPU as stop_others() would, in the handler of the trap @regs, or null: another CPU's
/// NMI may not get through to it.
_Noreturn void stop_here(const struct regs *regs);
