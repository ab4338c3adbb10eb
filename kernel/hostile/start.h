// What a hostile program starts with, but for its code.
#pragma once

#include "hostile/program.h"

/// Pick registers, segments and flags, and what else @program finds, by its kind.
void start_pick(struct program *program, struct random *random);

/// Let @program be of the kinds that its RFLAGS make.
void start_note_flags(struct program *program);
