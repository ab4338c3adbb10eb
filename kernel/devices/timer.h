// The local APIC timer, calibrated against the 8254: a periodic tick.
#pragma once

#include <stdint.h>

#define TIMER_HZ 100

/// Calibrate the local APIC timer and start the periodic tick on VECTOR_TIMER.
void timer_init(void);

/// Ticks since timer_init(), TIMER_HZ a second.
uint64_t timer_ticks(void);
