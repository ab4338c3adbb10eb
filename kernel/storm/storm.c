// The course of a storm: calm, storm, calm; then the accounts.
#include "storm/storm.h"

#include <stddef.h>

#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/input.h"
#include "devices/timer.h"
#include "lib/print.h"
#include "lib/string.h"
#include "storm/handlers.h"
#include "storm/level.h"
#include "storm/paint.h"
#include "storm/raise.h"
#include "storm/random.h"
#include "trap/stacks.h"
#include "trap/trap.h"

#define DIVE_MAX          40 // more than there is room for
#define CALIBRATION_TICKS 5
#define TOLD_SECONDS      2   // between two words on how far it is
#define LAPIC_DIVIDE_BY_1 0xB // SDM vol. 3, figure 10-10

static struct storm storms[CPU_LIMIT];

/// Of the timer, which a storm has for itself. The initial count comes last: it starts it.
static const uint32_t timer_registers[] = {LAPIC_TIMER_DIVIDE, LAPIC_LVT_TIMER,
                                           LAPIC_TIMER_INITIAL_COUNT};

#define TIMER_REGISTER_COUNT (sizeof(timer_registers) / sizeof(timer_registers[0]))

struct storm *storm_here(void)
{
    return &storms[cpu_number(this_cpu())];
}

uint64_t storm_traps(const struct storm *storm)
{
    return this_cpu()->traps_taken - storm->traps_before;
}

void storm_note(struct storm *storm, struct wrong wrong)
{
    storm->blows = false;
    if (storm->wrong.what != NOTHING)
        return;
    storm->wrong = wrong;
    storm->wrong.trap = storm_traps(storm);
}

uint64_t storm_stack_budget(const struct stack *stack)
{
    // What stays free of the kernel's stack is for a panic, and for a trap in that. The others are
    // no storm's.
    return stack->low == KERNEL_STACK_LOW ? stack->high - stack->low - 2 * TRAP_STACK : 0;
}

/// The time-stamp counter's rate, by the ticks of the timer, which tell the time as long as it is
/// calm.
static uint64_t measure_tsc(void)
{
    hlt();
    uint64_t tick = timer_ticks(), tsc = rdtsc();
    while (timer_ticks() < tick + CALIBRATION_TICKS)
        hlt();
    return (rdtsc() - tsc) * TIMER_HZ / (timer_ticks() - tick);
}

/// Of the eight registers of the local APIC from @offset on, the highest vector that is set, or 0.
static unsigned highest(uint32_t offset)
{
    for (unsigned i = 8; i-- > 0;) {
        uint32_t bits = lapic_read(offset + i * 16);
        if (bits)
            return i * 32 + 31 - (unsigned)__builtin_clz(bits);
    }
    return 0;
}

static void blow(struct storm *storm, struct storm_length length)
{
    uint64_t told = rdtsc();
    uint64_t end = length.seconds ? told + length.seconds * storm->tsc_per_second : UINT64_MAX;
    while (storm->blows && storm_traps(storm) < length.traps && rdtsc() < end) {
        storm->dive = (unsigned)(random_next(&storm->random) % DIVE_MAX);
        level_run(storm);
        unsigned vector = highest(LAPIC_ISR); // no handler is under way
        if (vector)
            storm_note(storm, (struct wrong){.what = WRONG_EOI, .vector = vector});
        if (rdtsc() - told > TOLD_SECONDS * storm->tsc_per_second) {
            told = rdtsc();
            print("# %lu traps\n", storm_traps(storm));
        }
    }
}

/// Whether all that was raised has come.
static bool is_calm(const struct storm *storm)
{
    return storm->came[VECTOR_TIMER] == storm->raised[VECTOR_TIMER] && !storm->is_nmi_due &&
           highest(LAPIC_IRR) == 0;
}

/// Let come what is still due.
static void die_down(struct storm *storm)
{
    uint64_t end = rdtsc() + storm->tsc_per_second;
    storm->blows = false;
    storm->dive = 0;
    sti();
    while (!is_calm(storm) && rdtsc() < end)
        pause();
    cli();
}

static void check_counts(struct storm *storm)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        uint64_t due = storm->raised[vector] - storm->merged[vector];
        bool is_right = storm->came[vector] == due;
        if (vector == VECTOR_NMI) // more may come from outside
            is_right = storm->came[vector] >= due;
        if (!is_right)
            storm_note(storm, (struct wrong){.what = WRONG_COUNT,
                                             .vector = vector,
                                             .raised = due,
                                             .came = storm->came[vector]});
    }
}

static const uint64_t stacks[] = {KERNEL_STACK_LOW, DF_STACK_LOW, MC_STACK_LOW};

_Static_assert(sizeof(stacks) / sizeof(stacks[0]) == STORM_STACKS, "each has its use");

static void paint_stacks(void)
{
    for (size_t i = 0; i < STORM_STACKS; i++) {
        const struct stack *stack = stack_at(stacks[i]);
        paint_stack(cpu_address(this_cpu(), stack->low), cpu_address(this_cpu(), stack->high));
    }
}

static void check_stacks(struct storm *storm)
{
    for (size_t i = 0; i < STORM_STACKS; i++) {
        const struct stack *stack = stack_at(stacks[i]);
        uint64_t used =
            paint_used(cpu_address(this_cpu(), stack->low), cpu_address(this_cpu(), stack->high));
        storm->stacks[i] = (struct stack_use){stack, used};
        if (used > storm_stack_budget(stack))
            storm_note(storm, (struct wrong){.what = WRONG_STACK, .stack = stack});
    }
}

static void storm_through(struct storm *storm, struct storm_length length)
{
    uint32_t kept[TIMER_REGISTER_COUNT];
    for (size_t i = 0; i < TIMER_REGISTER_COUNT; i++)
        kept[i] = lapic_read(timer_registers[i]);
    level_map_pages();
    paint_stacks();
    handlers_take();
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER); // once for each initial count
    lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);

    level_count_steps(storm);
    storm->blows = true;
    raise_timer(storm);
    blow(storm, length);
    die_down(storm);

    handlers_give_back();
    check_stacks(storm);
    level_unmap_pages();
    for (size_t i = 0; i < TIMER_REGISTER_COUNT; i++)
        lapic_write(timer_registers[i], kept[i]);
}

const struct storm *storm_run(struct storm_length length, uint64_t seed)
{
    struct storm *storm = storm_here();
    memset(storm, 0, sizeof(*storm));
    storm->random = seed;
    storm->tsc_per_second = measure_tsc();
    print("# it storms: seed %lu\n", seed);
    cli();
    storm->traps_before = this_cpu()->traps_taken;
    storm->devices[STORM_KEYBOARD] = -trap_count(VECTOR_KEYBOARD);
    storm->devices[STORM_COM1] = -trap_count(VECTOR_COM1);
    uint64_t begin = rdtsc();
    storm_through(storm, length);
    storm->tsc = rdtsc() - begin;
    storm->traps = storm_traps(storm);
    storm->devices[STORM_KEYBOARD] += trap_count(VECTOR_KEYBOARD);
    storm->devices[STORM_COM1] += trap_count(VECTOR_COM1);
    sti();
    check_counts(storm);
    for (; input_is_pending(); storm->keys++)
        input_get();
    return storm;
}
