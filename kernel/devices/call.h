// Work that one CPU gives another: a mailbox in struct cpu, and an interrupt that tells of it.
#pragma once

#include "trap/stacks.h"

/// Take calls from other CPUs from now on, on every CPU.
void call_init(void);

/// Wait for the next work from another CPU, and do it, with interrupts on.
void call_take(void);

/// Have @cpu, which must not be this one, run @work(@argument), and return at once. call_wait()
/// waits until it has. Before that @cpu must not be called again.
void call_start(struct cpu *cpu, void (*work)(void *argument), void *argument);

/// It keeps interrupts off, so that what is taken over from the kernel meanwhile is the other CPU's
/// alone, and needs them on. Never wait in the middle of a line: the other may have one to print.
void call_wait(struct cpu *cpu);

/// Have @cpu run @work(@argument), and wait for its end.
void call_run(struct cpu *cpu, void (*work)(void *argument), void *argument);
