// vectors.def as a table.
#include "trap/vectors.h"

#include <stddef.h>

enum error_code { NONE, CODE };

const struct vector_info *vector_info(unsigned vector)
{
#define NOTE(text)
#define VECTOR(number, mnemonic, name, class, code, ist)                                           \
    [number] = {#mnemonic, name, class, code == CODE, ist},
    static const struct vector_info table[VECTOR_COUNT] = {
#include "trap/vectors.def"
    };
#undef VECTOR
#undef NOTE
    return vector < VECTOR_COUNT && table[vector].name ? &table[vector] : NULL;
}

const char *vector_class_name(enum vector_class class)
{
    static const char *const names[] = {
        [FAULT] = "Fault", [TRAP] = "Trap",           [FAULT_OR_TRAP] = "Fault/Trap",
        [ABORT] = "Abort", [INTERRUPT] = "Interrupt",
    };
    return names[class];
}
