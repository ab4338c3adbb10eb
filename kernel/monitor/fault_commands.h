// The monitor's commands around the catalogue. @argument is as in struct command.
#pragma once

#include <stdbool.h>

#include "faults/catalogue.h"

/// Whether this machine shows @fault as the architecture says, as far as we know.
bool fault_is_seen_here(const struct fault *fault);

/// Raise the entry @argument; say what was due and what came, for people and for programs.
void command_raise(char *argument);

/// Draw the stack of the last trap, or of trap number @argument (from 1) of the last entry.
void command_frame(char *argument);

/// Print the registers of the last trap.
void command_regs(char *argument);

/// Raise all recoverable entries, a line each; raise all, as KTAP.
void command_tour(char *argument);
void command_check(char *argument);

/// Leave a trap unhandled: #UD, or that of the entry @argument.
void command_panic(char *argument);
