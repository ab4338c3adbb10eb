// The monitor's commands around the catalogue. @argument is as in struct command.
#pragma once

/// Name the entries, a line each.
void command_list(char *argument);

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
