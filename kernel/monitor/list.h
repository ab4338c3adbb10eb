// `list`: the catalogue's entries, by group or by what is asked for.
#pragma once

/// Without @words: the groups, with how many entries each has. With @words: the entries that each
/// of them fits. @words is as in struct command.
void command_list(char *words);
