// Counting endings, in all and by the programs' kinds.
#include "hostile/totals.h"

#include <stdbool.h>
#include <stddef.h>

#include "hostile/kinds.h"
#include "lib/print.h"
#include "lib/string.h"
#include "trap/vectors.h"

#define ENDINGS_PER_ROW 5
#define NAMES_PER_ROW   12

static struct {
    uint64_t by_vector[VECTOR_COUNT];
    uint64_t preempted, preempted_by_nmi, delayed;
    struct {
        uint64_t programs;
        bool ended_by[VECTOR_COUNT];
    } kinds[KIND_COUNT];
} totals;

void totals_forget(void)
{
    memset(&totals, 0, sizeof(totals));
}

/// The vector that has taken the CPU from the program.
static unsigned last_vector(const struct ending *ending)
{
    switch (ending->how) {
    case PREEMPTED:
        return VECTOR_TIMER;
    case PREEMPTED_BY_NMI:
        return VECTOR_NMI;
    default:
        return ending->regs.vector;
    }
}

void totals_count(const struct program *program, const struct ending *ending)
{
    totals.delayed += ending->delayed;
    if (ending->how == TRAPPED)
        totals.by_vector[ending->regs.vector]++;
    totals.preempted += ending->how == PREEMPTED;
    totals.preempted_by_nmi += ending->how == PREEMPTED_BY_NMI;
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        if (!program_is(program, kind))
            continue;
        totals.kinds[kind].programs++;
        totals.kinds[kind].ended_by[last_vector(ending)] = true;
    }
}

static const char *name(unsigned vector)
{
    const struct vector_info *info = vector_info(vector);
    return info ? info->mnemonic : "?";
}

static void print_kind(enum kind kind)
{
    size_t column = 0;
    print("  %-20s%10lu ", kind_name(kind), totals.kinds[kind].programs);
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        if (!totals.kinds[kind].ended_by[vector])
            continue;
        if (column > 0 && column % NAMES_PER_ROW == 0)
            print("\n%33s", "");
        print(" %s", name(vector));
        column++;
    }
    print("\n");
}

static void print_vectors(void)
{
    size_t column = 0;
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        if (totals.by_vector[vector] == 0)
            continue;
        print("%s  %-5s%8lu", column > 0 && column % ENDINGS_PER_ROW == 0 ? "\n" : "", name(vector),
              totals.by_vector[vector]);
        column++;
    }
}

void totals_print(void)
{
    print("hostile: programs by what they have, and what ended them\n");
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        if (totals.kinds[kind].programs > 0)
            print_kind(kind);
    print("hostile: all of them\n");
    print_vectors();
    print("\n  ended by the timer: %lu\n  ended by an NMI, with interrupts off: %lu\n"
          "  #DB that came late, in ring 0: %lu\n",
          totals.preempted, totals.preempted_by_nmi, totals.delayed);
}
