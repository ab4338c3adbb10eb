// One line of input with editing, history and completion.
#pragma once

#include <stddef.h>

/// The longest line: with the prompt it fits one row of 80 columns, so that nothing ever wraps.
#define LINE_SIZE 66

/// Candidates for completion: the @index-th word that may stand where @line continues, or null
/// behind the last. @line holds what precedes the word.
typedef const char *line_complete_fn(const char *line, size_t index);

/// Read a line into @line of LINE_SIZE bytes, without its end.
void line_read(const char *prompt, char *line, line_complete_fn *complete);
