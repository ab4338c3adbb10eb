// What C takes from vectors.def: the number of every named vector as VECTOR_<mnemonic>, and
// the facts of the table by number.
#pragma once

#include <stdbool.h>

#define VECTOR_COUNT    256
#define EXCEPTION_COUNT 32 // vectors below are the CPU's own: SDM vol. 3, 6.2

#define NOTE(text)
#define VECTOR(number, mnemonic, name, class, code, ist) VECTOR_##mnemonic = number,
enum vector {
#include "trap/vectors.def"
};
#undef VECTOR
#undef NOTE

/// SDM vol. 3, 6.5: what the saved RIP points at and whether the program can go on.
enum vector_class { FAULT, TRAP, FAULT_OR_TRAP, ABORT, INTERRUPT };

struct vector_info {
    const char *mnemonic; ///< as the manuals write it after '#'
    const char *name;
    enum vector_class class;
    bool has_error_code; ///< as an exception; INT n and interrupts never push one
    unsigned ist;        ///< interrupt stack table slot of its gate, 0 for none
};

/// The line of vectors.def for @vector, or null if it has no name; a damaged frame may have any.
const struct vector_info *vector_info(unsigned vector);

/// "Fault", "Trap", ... as SDM vol. 3, table 6-1 prints it.
const char *vector_class_name(enum vector_class class);
