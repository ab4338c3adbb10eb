// The frame picture: one trap's stack as it lies in memory, as a teacher would draw it.
#pragma once

#include "report/record.h"

/// Draw the upper part of the stack of @record: what the CPU and the stub pushed.
void frame_draw_arrival(const struct record *record);
#define FRAME_ARRIVAL_ROWS 16 ///< at most

/// Draw what lies below: the registers that the common entry saved.
void frame_draw_registers(const struct record *record);
#define FRAME_REGISTER_ROWS 17
