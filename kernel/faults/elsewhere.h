// Running a catalogue entry on a CPU of choice. All others wait for it, with interrupts off or
// idle: the entry may break what the CPUs share.
#pragma once

#include "faults/faults.h"
#include "trap/stacks.h"

/// fault_run() and fault_run_unhandled() on @cpu.
const struct outcome *fault_run_on(struct cpu *cpu, const struct fault *fault, enum risk risk);
void fault_run_unhandled_on(struct cpu *cpu, const struct fault *fault);
