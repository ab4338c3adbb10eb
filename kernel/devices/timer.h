// The local APIC timer, calibrated against the 8254: a periodic tick.
#pragma once

#include <stdint.h>

#define TIMER_HZ 100

/// Calibrate the local APIC timer and start the periodic tick on VECTOR_TIMER.
void timer_init(void);

/// Start and stop the tick of this CPU, as each has a timer of its own: the first one's is started
/// by timer_init(), an idle CPU has none.
void timer_start(void);
void timer_stop(void);

/// How often the timer of this CPU has ticked, TIMER_HZ a second.
uint64_t timer_ticks(void);
