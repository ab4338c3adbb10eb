// The keys of a terminal at the other end of COM1.
#pragma once

/// Deliver what COM1 receives to input_put(), first what it has received already. Needs uart_init()
/// and apic_init().
void serial_init(void);
