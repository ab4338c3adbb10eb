// The local APIC timer ticks at a rate that no register tells, so it is measured once against
// the 8254, whose rate every PC shares. SDM vol. 3, 10.5.4; Intel 8254 datasheet.
#include "devices/timer.h"

#include <stdbool.h>

#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/lapic.h"
#include "lib/panic.h"
#include "trap/stacks.h"
#include "trap/trap.h"

#define LAPIC_DIVIDE_BY_16 0x3 // SDM vol. 3, figure 10-10

#define PIT_HZ               1193182
#define PIT_CHANNEL_2        0x42
#define PIT_CONTROL          0x43
#define PIT_CHANNEL_2_MODE_0 0xB0 // low byte, then high byte; binary; interrupt on terminal count

// The port that the PC's designers wired to channel 2: IBM PC AT Technical Reference, "System
// Board", port B.
#define PORT_B         0x61
#define PORT_B_GATE2   (1u << 0)
#define PORT_B_SPEAKER (1u << 1)
#define PORT_B_OUT2    (1u << 5)

#define CALIBRATION_HZ    100 // 10 ms
#define CALIBRATION_COUNT (PIT_HZ / CALIBRATION_HZ)

// Generous for 10 ms at the speed of any port, and over in seconds where the 8254 is missing.
#define POLL_LIMIT 10000000u

// A busy host of an emulator may let all 10 ms pass before pit_start() looks, but not again and
// again.
#define START_TRIES 5

static uint64_t rate; ///< of the count, a second

static void pit_load(void)
{
    outb(PORT_B, (inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2);
    outb(PIT_CONTROL, PIT_CHANNEL_2_MODE_0);
    outb(PIT_CHANNEL_2, CALIBRATION_COUNT & 0xFF);
    outb(PIT_CHANNEL_2, CALIBRATION_COUNT >> 8);
}

static bool pit_done(void)
{
    return inb(PORT_B) & PORT_B_OUT2;
}

/// Start the 8254 and return at once: in 10 ms it is done. Where it is missing, or its clock is
/// gated off, the port may read as done from the start.
static void pit_start(void)
{
    for (unsigned try = 0; try < START_TRIES; try++) {
        pit_load();
        if (!pit_done())
            return;
    }
    panic("The 8254 timer is missing; the APIC timer cannot be calibrated");
}

static void pit_wait(void)
{
    for (unsigned poll = 0; poll < POLL_LIMIT; poll++)
        if (pit_done())
            return;
    panic("The 8254 timer does not count; the APIC timer cannot be calibrated");
}

/// How far the local APIC timer counts in one CALIBRATION_HZ-th of a second.
static uint32_t measure_lapic_timer(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_16);
    pit_start();
    lapic_write(LAPIC_TIMER_INITIAL_COUNT, UINT32_MAX);
    pit_wait();
    return UINT32_MAX - lapic_read(LAPIC_TIMER_CURRENT_COUNT);
}

static void handle_tick(struct regs *regs)
{
    (void)regs;
    if (apic_end(VECTOR_TIMER))
        this_cpu()->ticks++;
}

void timer_init(void)
{
    rate = (uint64_t)measure_lapic_timer() * CALIBRATION_HZ;
    trap_handler(VECTOR_TIMER, handle_tick);
    timer_start();
}

void timer_start(void)
{
    lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_16);
    lapic_write(LAPIC_LVT_TIMER, LVT_TIMER_PERIODIC | VECTOR_TIMER);
    lapic_write(LAPIC_TIMER_INITIAL_COUNT, rate / TIMER_HZ);
}

void timer_stop(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
}

uint64_t timer_ticks(void)
{
    return this_cpu()->ticks;
}
