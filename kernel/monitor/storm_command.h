// `storm`: traps from everywhere at once.
#pragma once

/// Blow for as long as @argument says, "[N [traps]] [SEED]", and report. @argument is as in struct
/// command.
void command_storm(char *argument);
