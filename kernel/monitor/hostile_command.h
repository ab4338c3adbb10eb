// `hostile`: random programs in ring 3.
#pragma once

/// Run the programs that @argument names: N [SEED [FIRST [CODE]]]. @argument is as in struct
/// command.
void command_hostile(char *argument);
