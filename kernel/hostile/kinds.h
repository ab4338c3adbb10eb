// The kinds of hostile programs, by which it is seen whether each of them still comes to something.
#pragma once

#include <stdint.h>

#define NOTE(text)
#define TRICK(name, text) KIND_##name,
#define KIND(name, text)  KIND_##name,
enum kind {
#include "hostile/kinds.def"
    KIND_COUNT
};
#undef KIND
#undef TRICK

/// How many of them are tricks, which are the first ones.
#define TRICK(name, text) +1
#define KIND(name, text)
enum {
    HOSTILE_TRICKS =
#include "hostile/kinds.def"
};
#undef KIND
#undef TRICK
#undef NOTE

_Static_assert(KIND_COUNT <= 32, "a program has a bit for each");

/// What readers know it by.
const char *kind_name(enum kind kind);
