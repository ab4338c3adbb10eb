// A storm: traps from everywhere, nested as deep as the stack allows, while a witness at each level
// (witness.h) knows what every register must hold, and every interrupt is accounted for.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/random.h"
#include "storm/witness.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

/// The first thing that was wrong: what, and when.
struct wrong {
    enum {
        NOTHING,
        WRONG_REGISTER,
        WRONG_EOI,    ///< @vector is still in service behind its handler
        WRONG_ORIGIN, ///< @vector came, and was not in service
        WRONG_COUNT,  ///< @vector was raised more often than it came, or less
        WRONG_STACK,  ///< more than its budget lay on @stack
    } what;
    unsigned vector;
    struct difference difference;
    unsigned cpu;
    unsigned ring, level;        ///< of the witness
    uint64_t trap, raised, came; ///< trap: how many had come
    const struct stack *stack;
};

/// The most that ever lay on a stack.
struct stack_use {
    const struct stack *stack;
    uint64_t bytes;
};

#define STORM_STACKS 3

/// Of an NMI that is due.
enum sender { NOBODY, ITSELF, ANOTHER };

enum storm_device { STORM_KEYBOARD, STORM_COM1 };

/// What is known of one CPU's storm.
struct storm {
    struct random random;
    uint64_t raised[VECTOR_COUNT]; ///< so that each must come; no NMIs of other CPUs
    uint64_t merged[VECTOR_COUNT]; ///< of those: into one that was pending already
    uint64_t came[VECTOR_COUNT];
    uint64_t steps[2]; ///< the single steps of a witness in ring 0, in ring 3
    uint64_t witnesses, traps_before, traps;
    uint64_t tsc, tsc_per_second; ///< how long it has taken
    uint64_t told;                ///< when somebody last heard of it
    uint64_t shootdowns;
    unsigned level;           ///< of the next witness: how many are under way
    unsigned dive;            ///< how many more may start on top of each other
    unsigned nested, deepest; ///< traps under way, and the most that ever were
    uint64_t devices[2];      ///< interrupts from outside, by enum storm_device
    unsigned keys;            ///< that they brought
    atomic_bool blows;        ///< whether anything may be raised
    atomic_bool is_over;      ///< nothing is any more
    _Atomic(enum sender) nmi_due;

    // From other CPUs: what has been sent and has not come yet, and the NMIs.
    atomic_bool is_due[VECTOR_COUNT];
    _Atomic(uint64_t) nmis_sent;
    uint64_t nmis_taken;

    struct stack_use stacks[STORM_STACKS];
    struct wrong wrong;
};

/// How long it is to blow: until one of both is reached, on all CPUs together.
struct storm_length {
    uint64_t traps, seconds;
};

/// Let it storm on all CPUs; the same @seed raises the same. Called on the first CPU, with
/// its timer ticking. What is typed meanwhile is lost. Returns the CPUs' accounts in one.
const struct storm *storm_run(struct storm_length length, uint64_t seed);

/// The storm of @cpu, and of the CPU that runs this.
struct storm *storm_of(const struct cpu *cpu);
struct storm *storm_here(void);

/// The traps that have come in @storm, of one CPU.
uint64_t storm_traps(const struct storm *storm);

/// Keep @wrong if it is the first thing, and let the storm die down.
void storm_note(struct storm *storm, struct wrong wrong);

/// The most that a storm may put on @stack.
uint64_t storm_stack_budget(const struct stack *stack);
