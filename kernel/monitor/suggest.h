// Near matches for a mistyped name.
#pragma once

#include <stddef.h>

/// Print " Did you mean a, b?" with those of the @name_at names that are close to @word, if any.
/// @name_at gives the name of an index, or null behind the last.
void suggest(const char *word, const char *(*name_at)(size_t index));
