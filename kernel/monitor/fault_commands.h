// The monitor's commands around the catalogue. @argument is as in struct command.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "faults/faults.h"

/// The entry called @name, or null; where there is none, say so and what is near.
const struct fault *fault_need(const char *name);

/// Name @fault, which is about to run: it may hang.
void fault_print_head(const struct fault *fault);

/// Print the traps that came, @limit of them at most.
void fault_print_traps(const struct outcome *outcome, size_t limit);

/// Print the verdict; where this machine differs, also why, and where @fault can be seen.
void fault_print_verdict(const struct fault *fault, const struct outcome *outcome);

/// Whether this machine shows @fault as the architecture says, as far as we know.
bool fault_is_seen_here(const struct fault *fault);

/// Raise the entry @argument; say what was due and what came, for people and for programs.
void command_raise(char *argument);
void command_force(char *argument);

/// Draw the stack of the last trap, or of trap number @argument (from 1) of the last entry.
void command_frame(char *argument);

/// Print the registers of the last trap.
void command_regs(char *argument);

/// Raise all entries, and report as KTAP.
void command_check(char *argument);

/// Leave a trap unhandled: #UD, or that of the entry @argument.
void command_panic(char *argument);
