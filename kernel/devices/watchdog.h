// An NMI at a steady rate, from the 8254 by way of the I/O APIC: it reaches the CPU with interrupts
// off, too, and so takes it back from whoever keeps it.
#pragma once

#define WATCHDOG_HZ 1000

/// Let the NMIs come, to whatever handler VECTOR_NMI has.
void watchdog_start(void);

/// End them.
void watchdog_stop(void);
