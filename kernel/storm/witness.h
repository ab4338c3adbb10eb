// A program that knows what each register must hold while traps come: witness.asm.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/random.h"
#include "trap/regs.h"

#define NOTE(text)
#define CONSTANT(name, value) name = value,
enum witness_layout {
#include "storm/witness.def"
};
#undef CONSTANT
#undef NOTE

#define VECTOR_REGISTERS 16

/// The registers of a program. Of `regs` only the general registers, RSP and RFLAGS count.
struct state {
    struct regs regs;
    _Alignas(64) uint64_t vectors[VECTOR_REGISTERS][VECTOR_SIZE / sizeof(uint64_t)];
};

struct witness {
    struct state due, seen;
    uint64_t kept[VECTOR_REGISTERS][VECTOR_SIZE / sizeof(uint64_t)]; ///< who was interrupted
};

_Static_assert(offsetof(struct state, vectors) == STATE_VECTORS, "witness.asm stores them there");
_Static_assert(offsetof(struct witness, seen) == WITNESS_SEEN, "witness.asm stores it there");
_Static_assert(offsetof(struct witness, kept) == WITNESS_KEPT, "witness.asm stores them there");

/// A register that does not hold what it must.
struct difference {
    const char *name;
    int number; ///< of a vector register, else -1
    uint64_t seen, due;
};

/// Give every register of @witness a random value. RBX is to be the address @touched, and
/// @rflags is set as well.
void witness_fill(struct witness *witness, struct random *random, uint64_t touched,
                  uint64_t rflags);

/// Run @witness in ring 0, on the stack in use. Needs IF clear, and comes back so.
void witness_run(struct witness *witness);

/// Run it in ring 3, where it lies at @address, the bottom of a page. The handler of VECTOR_USER
/// must end it by ring_leave(). @rflags: IF, as witness_fill() was told.
void witness_run_user(uint64_t address, uint64_t rflags);

/// Whether all that @witness has seen is what is due; where not, @difference is the first.
bool witness_is_right(const struct witness *witness, struct difference *difference);

/// Whether @rip is in the witness's code, in either ring.
bool witness_is_at(uint64_t rip);
