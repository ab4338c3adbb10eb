// The C side of every trap: one dispatcher, one handler per vector.
#pragma once

#include <stdint.h>

#include "trap/regs.h"
#include "trap/vectors.h"

/// A handler runs with interrupts off on the trap's own stack. It may write every field of
/// @regs; the interrupted program continues with what it leaves there.
typedef void trap_fn(struct regs *regs);

/// Called by asm/entry.asm for every trap; calls the vector's handler, or panics without one.
void trap_dispatch(struct regs *regs);

/// Make @fn the handler of @vector (0 to 255), null for none. Returns the one before.
trap_fn *trap_handler(unsigned vector, trap_fn *fn);

/// How often @vector has been taken since boot.
uint64_t trap_count(unsigned vector);
