// The C side of every trap: one dispatcher, one handler per vector.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "trap/regs.h"
#include "trap/vectors.h"

/// A handler runs with interrupts off on the trap's own stack. It may write every field of
/// @regs; the interrupted program continues with what it leaves there.
typedef void trap_fn(struct regs *regs);

/// Make @fn the handler of every vector: of traps that nobody expects. Needed before the IDT is.
void trap_init(trap_fn *fn);

/// Put CLAC into the trap path under SMAP: while text is still writable. Needs cpu_detect().
void trap_init_clac(void);

/// Called by asm/entry.asm for every trap; calls the vector's handler, unless the trap is a fault
/// of asm/peek.asm's.
void trap_dispatch(struct regs *regs);

/// Make @fn the handler of @vector (0 to 255). Returns the one before. At every instruction the
/// vector has the one or the other.
trap_fn *trap_handler(unsigned vector, trap_fn *fn);

/// Exchange each handler for that of @others, for which null leaves it as it is. A second call
/// gives back what the first has taken.
void trap_swap_handlers(trap_fn *others[VECTOR_COUNT]);

/// Whether @vector has got another handler than that of trap_init().
bool trap_is_expected(unsigned vector);

/// How often @vector has been taken since boot: by this CPU, and by all.
uint64_t trap_count(unsigned vector);
uint64_t trap_count_of_all(unsigned vector);
