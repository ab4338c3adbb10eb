// A hostile program: code, and the registers that it starts with. All of it is made from a seed and
// a number, by which it can be made again.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostile/kinds.h"
#include "lib/random.h"
#include "trap/regs.h"

#define PROGRAM_SIZE 48

struct program {
    uint8_t code[PROGRAM_SIZE]; ///< it ends at the end of a page, with nothing mapped behind it
    size_t size;
    struct regs start;    ///< all registers but RIP, which is where the code is
    struct random random; ///< for what else it starts with: x87, SSE, AVX
    uint64_t ssp;         ///< its shadow stack, if it has one
    uint8_t breakpoint;   ///< where in its code, if it has one
    uint32_t kinds;       ///< a bit for each
};

/// Whether @program is of @kind.
static inline bool program_is(const struct program *program, enum kind kind)
{
    return program->kinds & 1u << kind;
}

/// Let @program be of @kind, too.
static inline void program_be(struct program *program, enum kind kind)
{
    program->kinds |= 1u << kind;
}

/// Make the program of @seed with @number.
void program_make(struct program *program, uint64_t seed, uint64_t number);

/// Let @code of @size bytes be that of @program, PROGRAM_SIZE at most.
void program_set_code(struct program *program, const uint8_t *code, size_t size);

/// Change a few bits or bytes of its code, each program others.
void program_mutate(struct program *program);
