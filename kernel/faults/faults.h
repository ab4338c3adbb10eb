// Raising the faults of the catalogue.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "faults/catalogue.h"
#include "faults/judge.h"

/// What some version of this emulator would not survive is left out, or raised all the same.
enum risk { RISK_NOTHING, RISK_ALL };

/// Whether @fault can be raised on @cpu; where not, @reason of @size bytes says why.
bool fault_can_run(const struct cpu *cpu, const struct fault *fault, enum risk risk, char *reason,
                   size_t size);

/// Raise @fault, if it can be. The result stays valid until the next call.
const struct outcome *fault_run(const struct fault *fault, enum risk risk);

/// The last trap that an entry has raised, or null: `frame` draws it.
const struct record *fault_last_trap(void);

/// The trap that came as number @number (from 1) of the last entry that was raised, or null.
const struct record *fault_trap(size_t number);

/// Run the code of @fault with nobody to handle its traps: the way to see a panic. Returns if none
/// comes, with the machine as it was.
void fault_run_unhandled(const struct fault *fault);
