// Text of any length for a terminal of 80 columns.
#pragma once

#include <stddef.h>

/// Print @text, which ends its last line, broken at spaces where it is too long; the lines behind
/// the first begin with @indent spaces.
void folded_print(const char *text, size_t indent);
