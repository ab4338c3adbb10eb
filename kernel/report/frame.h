// The frame picture: one trap's stack as it lies in memory, as a teacher would draw it.
#pragma once

#include "faults/record.h"

/// Draw the stack of @record, top to bottom.
void frame_draw(const struct record *record);
