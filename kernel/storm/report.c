// The report on a storm.
#include "storm/report.h"

#include <stddef.h>

#include "lib/print.h"
#include "report/report.h"
#include "storm/raise.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

/// A row of the table.
struct source {
    const char *name;
    unsigned vector;
    const char *promise; ///< of the hardware: what of that must come
};

static const struct source sources[] = {
    {"#BP breakpoint", VECTOR_BP, "each"},  {"#DB single step", VECTOR_DB, "each"},
    {"#PF page mapped", VECTOR_PF, "each"}, {"INT of ring 3", VECTOR_USER, "each"},
    {"LAPIC timer", VECTOR_TIMER, "each"},
};

#define SOURCE_COUNT (sizeof(sources) / sizeof(sources[0]))

enum check { CHECK_REGISTERS, CHECK_COUNTS, CHECK_IN_SERVICE, CHECK_STACKS, CHECKS };

static const char *const checks[CHECKS] = {
    [CHECK_REGISTERS] = "registers",
    [CHECK_COUNTS] = "counts",
    [CHECK_IN_SERVICE] = "in-service",
    [CHECK_STACKS] = "stacks",
};

static void print_row(const char *name, uint64_t raised, uint64_t merged, uint64_t came,
                      const char *promise)
{
    print("# %-18s %9lu %7lu %9lu  %s\n", name, raised, merged, came, promise);
}

/// Whether @vector has a row of its own.
static bool is_listed(unsigned vector)
{
    if (vector == VECTOR_NMI)
        return true;
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        if (sources[i].vector == vector)
            return true;
    return false;
}

/// All vectors that are nobody's together, and that are for interrupts @from_others or not.
static void print_ipis(const struct storm *storm, const char *name, bool from_others,
                       const char *promise)
{
    uint64_t raised = 0, merged = 0, came = 0;
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        if (is_listed(vector) || raise_is_from_others(vector) != from_others)
            continue;
        raised += storm->raised[vector];
        merged += storm->merged[vector];
        came += storm->came[vector];
    }
    print_row(name, raised, merged, came, promise);
}

/// What CPUs have sent each other.
static void print_among_cpus(const struct storm *storm)
{
    print_ipis(storm, "IPI to another CPU", true, "each");
    print_row("NMI to another CPU", storm->nmis_sent, 0, storm->nmis_taken,
              "each, or the host's instead");
    print("# %u CPUs, %lu TLB shootdowns\n", cpu_count, storm->shootdowns);
}

static void print_sources(const struct storm *storm)
{
    print("# %-18s %9s %7s %9s  promised\n", "source", "raised", "merged", "came");
    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        unsigned vector = sources[i].vector;
        print_row(sources[i].name, storm->raised[vector], storm->merged[vector],
                  storm->came[vector], sources[i].promise);
    }
    print_row("NMI", storm->raised[VECTOR_NMI], 0, storm->came[VECTOR_NMI] - storm->nmis_taken,
              "each, or the host's instead");
    print_ipis(storm, "self-IPI", false, "each, or one pending instead");
    if (cpu_count > 1)
        print_among_cpus(storm);
    print("# from outside: keyboard %lu, COM1 %lu interrupts, %u keys\n",
          storm->devices[STORM_KEYBOARD], storm->devices[STORM_COM1], storm->keys);
}

static void print_stacks(const struct storm *storm)
{
    print("# %-18s %9s %7s %9s\n", "stack", "bytes", "used", "budget");
    for (size_t i = 0; i < STORM_STACKS; i++) {
        const struct stack *stack = storm->stacks[i].stack;
        print("# %-18s %9lu %7lu %9lu\n", stack->name, stack->high - stack->low,
              storm->stacks[i].bytes, storm_stack_budget(stack));
    }
}

static void print_rate(const struct storm *storm)
{
    uint64_t tenths = storm->tsc * 10 / storm->tsc_per_second + 1;
    print("# %lu traps in %lu.%lu s, %lu a second; %u nested, %lu witnesses\n", storm->traps,
          tenths / 10, tenths % 10, storm->traps * 10 / tenths, storm->deepest, storm->witnesses);
}

/// The first thing, as a sentence of one line.
static void print_wrong(const struct wrong *wrong)
{
    const struct difference *register_ = &wrong->difference;
    print("# on CPU %u, after trap %lu: ", wrong->cpu, wrong->trap);
    switch (wrong->what) {
    case WRONG_REGISTER:
        print("in ring %u, level %u, %s", wrong->ring, wrong->level, register_->name);
        if (register_->number >= 0)
            print("%d", register_->number);
        print("\n# held 0x%lx, not 0x%lx\n", register_->seen, register_->due);
        break;
    case WRONG_ORIGIN:
        print("%s\n# came, and was not in service\n", report_vector(wrong->vector));
        break;
    case WRONG_COUNT:
        print("%s\n# came %lu times, not %lu\n", report_vector(wrong->vector), wrong->came,
              wrong->raised);
        break;
    case WRONG_EOI:
        print("%s\n# is still in service: it had no EOI\n", report_vector(wrong->vector));
        break;
    case WRONG_STACK:
        print("more than its budget lay on the %s\n", wrong->stack->name);
        break;
    case NOTHING:
        break;
    }
}

bool storm_report(const struct storm *storm)
{
    static const unsigned check_of[] = {
        [NOTHING] = CHECKS,
        [WRONG_REGISTER] = CHECK_REGISTERS,
        [WRONG_ORIGIN] = CHECK_COUNTS,
        [WRONG_COUNT] = CHECK_COUNTS,
        [WRONG_EOI] = CHECK_IN_SERVICE,
        [WRONG_STACK] = CHECK_STACKS,
    };
    print("KTAP version 1\n1..%u\n", CHECKS);
    print_sources(storm);
    print_stacks(storm);
    print_rate(storm);
    for (unsigned check = 0; check < CHECKS; check++) {
        bool ok = check_of[storm->wrong.what] != check;
        print("%s %u %s\n", ok ? "ok" : "not ok", check + 1, checks[check]);
        if (!ok)
            print_wrong(&storm->wrong);
    }
    return storm->wrong.what == NOTHING;
}
