// Near matches for a mistyped name.
#pragma once

#include <stddef.h>

/// Say that there is no @kind called @word, which of the @name_at names are close to it, and what
/// @lists them all. @name_at gives the name of an index, or null behind the last.
void suggest(const char *kind, const char *word, const char *(*name_at)(size_t index),
             const char *lists);
