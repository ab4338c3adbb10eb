// Work that one CPU gives another: a mailbox in struct cpu, and an interrupt that tells of it.
#pragma once

#include "trap/stacks.h"

/// Take calls from other CPUs from now on, on every CPU.
void call_init(void);

/// What a CPU does that nothing else is asked of: wait for work, and do it, for ever. The work runs
/// with interrupts on.
_Noreturn void call_serve(void);

/// Have @cpu, which must not be this one, run @work(@argument), and return at once. call_wait()
/// waits until it has. Before that @cpu must not be called again.
void call_start(struct cpu *cpu, void (*work)(void *argument), void *argument);

/// It keeps interrupts off, so that what is taken over from the kernel meanwhile is the other CPU's
/// alone, and needs them on. Never wait in the middle of a line: the other may have one to print.
void call_wait(struct cpu *cpu);

/// Run @work(@argument) on @cpu, this one or another, and wait for its end.
void call_run(struct cpu *cpu, void (*work)(void *argument), void *argument);
