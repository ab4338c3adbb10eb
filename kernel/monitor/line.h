// One line of input with editing, history and completion.
#pragma once

#include <stddef.h>

/// A line with the zero at its end.
#define LINE_SIZE 4096

/// Candidates for completion: the @index-th word that may stand where @line continues, or null
/// behind the last. The first @length characters of @line precede the word.
typedef const char *line_complete_fn(const char *line, size_t length, size_t index);

/// Who has ended a line.
enum line_end {
    LINE_TYPED, ///< a person, with the Enter key
    LINE_FILED, ///< a script: the line feed of a file's line
    LINE_LOST,  ///< whoever it was: a part of the line found no room, so that nothing of it holds
};

/// Read a line into @line of LINE_SIZE bytes, without its end.
enum line_end line_read(const char *prompt, char *line, line_complete_fn *complete);
