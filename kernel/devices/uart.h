// The serial port COM1 at 115200 baud, 8N1: text out by polling, keys in by interrupt.
#pragma once

#include <stddef.h>

/// Set up COM1. On a machine without it, all functions of this file do nothing from then on.
void serial_init(void);

/// Send @length bytes of @text and wait until the last one has left; "\n" goes out as
/// "\r\n". PC16550D, 8.4.
void serial_write(const char *text, size_t length);

/// Deliver what COM1 receives to input_put(), first what it has received already. Needs
/// apic_init(). PC16550D, 8.7.
void serial_enable_interrupts(void);
