// kinds.def as a table.
#include "hostile/kinds.h"

const char *kind_name(enum kind kind)
{
    static const char *const names[] = {
#define NOTE(text)
#define TRICK(name, text) text,
#define KIND(name, text)  text,
#include "hostile/kinds.def"
#undef KIND
#undef TRICK
#undef NOTE
    };
    return names[kind];
}
