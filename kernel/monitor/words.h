// The words of a line.
#pragma once

/// Cut the first word off *text and return it, "" if there is none; *text is left at the rest,
/// without leading spaces.
char *cut_word(char **text);
