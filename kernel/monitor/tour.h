// `tour`: a dozen traps, chosen for what they teach.
#pragma once

/// Raise one after the other, each with its explanation; a person is waited for in between.
/// @argument is as in struct command.
void command_tour(char *argument);
