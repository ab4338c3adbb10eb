// The serial port COM1 at 115200 baud, 8N1, by polling: it needs nothing but ports.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Set up COM1. On a machine without it, all functions of this file do nothing from then on.
void uart_init(void);

/// Send @length bytes of @text and wait until the last one has left; "\n" goes out as
/// "\r\n". PC16550D, 8.4.
void uart_write(const char *text, size_t length);

/// Take the next byte that has been received, if there is one.
bool uart_receive(uint8_t *byte);

/// Whether the machine has COM1.
bool uart_is_present(void);

/// From now on raise IRQ 4 when a byte has come, and at once if one is there. Whoever takes it must
/// receive until none is left, or the line stays high and gives no further edge. PC16550D, 8.7.
void uart_enable_interrupts(void);
