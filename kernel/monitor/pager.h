// Stopping at a screenful, for a person. What a script has asked for never stops.
#pragma once

#include <stdbool.h>
#include <stddef.h>

/// Start with the answer to a new line, whose author waits for it if @is_person.
void pager_start(bool is_person);

/// Ahead of @rows rows that are to be seen together: where they do not fit below those since the
/// last stop, wait for a key. Returns false if the person has had enough.
bool pager_room(size_t rows);

/// Wait for a key in any case, and say what for: @what is what comes next.
bool pager_stop(const char *what);
