// The course of a storm: calm, storm, calm; then the accounts.
#include "storm/storm.h"

#include <stddef.h>

#include "cpu/layout.h"
#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/call.h"
#include "devices/input.h"
#include "devices/lapic.h"
#include "devices/timer.h"
#include "lib/print.h"
#include "lib/string.h"
#include "storm/accounts.h"
#include "storm/handlers.h"
#include "storm/level.h"
#include "storm/raise.h"
#include "trap/stacks.h"
#include "trap/trap.h"

#define DIVES             32 // as many depths: more than there is room for
#define CALIBRATION_TICKS 5
#define TOLD_SECONDS      2   // between two words on how far it is
#define CALM_SECONDS      5   // what has not come by then is lost, on a busy host, too
#define LAPIC_DIVIDE_BY_1 0xB // SDM vol. 3, figure 10-10

static struct storm storms[CPU_LIMIT];

struct storm *storm_of(const struct cpu *cpu)
{
    return &storms[cpu_number(cpu)];
}

struct storm *storm_here(void)
{
    return storm_of(this_cpu());
}

uint64_t storm_traps(const struct storm *storm)
{
    return cpu_at((unsigned)(storm - storms))->traps_taken - storm->traps_before;
}

void storm_note(struct storm *storm, struct wrong wrong)
{
    storm->blows = false;
    if (storm->wrong.what != NOTHING)
        return;
    storm->wrong = wrong;
    storm->wrong.trap = storm_traps(storm);
    storm->wrong.cpu = (unsigned)(storm - storms);
}

/// Wait for the next tick of the timer. Return the time-stamp counter then.
static uint64_t next_tick(void)
{
    uint64_t tick = timer_ticks();
    while (timer_ticks() == tick)
        hlt();
    return rdtsc();
}

static uint64_t median(uint64_t *values, unsigned count)
{
    for (unsigned end = 1; end < count; end++)
        for (unsigned i = end; i > 0 && values[i - 1] > values[i]; i--) {
            uint64_t larger = values[i - 1];
            values[i - 1] = values[i];
            values[i] = larger;
        }
    return values[count / 2];
}

/// The time-stamp counter's rate, by the ticks of the timer, which tell the time as long as it is
/// calm. A host that stalls spoils one or two of them, and not the median.
static uint64_t measure_tsc(void)
{
    uint64_t lengths[CALIBRATION_TICKS], last = next_tick();
    for (unsigned i = 0; i < CALIBRATION_TICKS; i++) {
        uint64_t now = next_tick();
        lengths[i] = now - last;
        last = now;
    }
    return median(lengths, CALIBRATION_TICKS) * TIMER_HZ;
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

/// The traps of all CPUs.
static uint64_t all_traps(void)
{
    uint64_t traps = 0;
    for (unsigned number = 0; number < cpu_count; number++)
        traps += storm_traps(&storms[number]);
    return traps;
}

/// Whether something is wrong on any CPU.
static bool any_wrong(void)
{
    for (unsigned number = 0; number < cpu_count; number++)
        if (storms[number].wrong.what != NOTHING)
            return true;
    return false;
}

static void tell(struct storm *storm)
{
    if (this_cpu() != cpu_at(0) || rdtsc() - storm->told < TOLD_SECONDS * storm->tsc_per_second)
        return;
    storm->told = rdtsc();
    print("# %lu traps\n", all_traps());
}

static void blow(struct storm *storm, const struct storm_length *length)
{
    uint64_t end = length->seconds ? rdtsc() + length->seconds * storm->tsc_per_second : UINT64_MAX;
    storm->told = rdtsc();
    while (!any_wrong() && all_traps() < length->traps && rdtsc() < end) {
        storm->dive = (unsigned)random_below(&storm->random, DIVES);
        level_run(storm);
        unsigned vector = highest(LAPIC_ISR); // no handler is under way
        if (vector)
            storm_note(storm, (struct wrong){.what = WRONG_EOI, .vector = vector});
        raise_shootdown(storm);
        tell(storm);
    }
}

/// Whether no CPU raises anything any more.
static bool is_over(void)
{
    for (unsigned number = 0; number < cpu_count; number++)
        if (!storms[number].is_over)
            return false;
    return true;
}

static bool is_any_due(const struct storm *storm)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        if (storm->is_due[vector])
            return true;
    return storm->nmi_due != NOBODY;
}

/// Whether all that was raised has come.
static bool is_calm(const struct storm *storm)
{
    return storm->came[VECTOR_TIMER] == storm->raised[VECTOR_TIMER] && !is_any_due(storm) &&
           highest(LAPIC_IRR) == 0;
}

/// Let come what is still due.
static void die_down(struct storm *storm)
{
    storm->blows = false;
    storm->is_over = true;
    storm->dive = 0;
    sti();
    while (!is_over())
        pause();
    uint64_t end = rdtsc() + CALM_SECONDS * storm->tsc_per_second;
    while (!is_calm(storm) && rdtsc() < end)
        pause();
    cli();
}

/// The storm of one CPU, from calm to calm. @argument: a struct storm_length.
static void storm_through(void *argument)
{
    struct storm *storm = storm_here();
    cli();
    level_map_pages();
    accounts_paint_stacks();
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER); // once for each initial count
    lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);

    level_count_steps(storm);
    storm->blows = true;
    raise_timer(storm);
    blow(storm, argument);
    die_down(storm);

    timer_stop();
    apic_eoi_all(); // what had no EOI must not keep the prompt from hearing
    accounts_check_stacks(storm);
    level_unmap_pages();
    accounts_check_counts(storm);
    sti();
}

static struct storm sum; ///< the CPUs' accounts in one

static void start_accounts(uint64_t seed)
{
    uint64_t tsc_per_second = measure_tsc();
    memset(&sum, 0, sizeof(sum));
    sum.tsc_per_second = tsc_per_second;
    for (unsigned number = 0; number < cpu_count; number++) {
        struct storm *storm = &storms[number];
        memset(storm, 0, sizeof(*storm));
        storm->random = random_from(seed + number);
        storm->tsc_per_second = tsc_per_second;
        storm->traps_before = cpu_at(number)->traps_taken;
    }
}

static void storm_everywhere(struct storm_length *length)
{
    for (unsigned number = 1; number < cpu_count; number++)
        call_start(cpu_at(number), storm_through, length);
    storm_through(length);
    for (unsigned number = 1; number < cpu_count; number++)
        call_wait(cpu_at(number));
}

const struct storm *storm_run(struct storm_length length, uint64_t seed)
{
    start_accounts(seed);
    level_reserve_pages();
    print("# it storms: seed %lu\n", seed);
    timer_stop();
    handlers_take();
    sum.devices[STORM_KEYBOARD] = -trap_count(VECTOR_KEYBOARD);
    sum.devices[STORM_COM1] = -trap_count(VECTOR_COM1);
    uint64_t begin = rdtsc();
    storm_everywhere(&length);
    sum.tsc = rdtsc() - begin;
    sum.traps = all_traps();
    sum.devices[STORM_KEYBOARD] += trap_count(VECTOR_KEYBOARD);
    sum.devices[STORM_COM1] += trap_count(VECTOR_COM1);
    handlers_give_back();
    timer_start();
    for (unsigned number = 0; number < cpu_count; number++)
        accounts_add(&sum, &storms[number]);
    for (; input_is_pending(); sum.keys++)
        input_get();
    return &sum;
}
