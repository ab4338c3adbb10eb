// The keys of the serial line: what a terminal sends becomes keys, by interrupt.
#include "devices/serial.h"

#include <stdint.h>

#include "devices/apic.h"
#include "devices/input.h"
#include "devices/uart.h"
#include "lib/ecma48.h"
#include "trap/trap.h"

#define COM1_IRQ 4

// What a terminal sends for the keys that are no plain ASCII.
#define ASCII_DEL 0x7F
enum { TERMINAL_HOME = 1, TERMINAL_DELETE = 3, TERMINAL_END = 4 };

static int character_key(uint8_t byte)
{
    return byte == ASCII_DEL ? '\b' : byte;
}

static int edit_key(unsigned parameter)
{
    switch (parameter) {
    case TERMINAL_HOME:
        return KEY_HOME;
    case TERMINAL_DELETE:
        return KEY_DELETE;
    case TERMINAL_END:
        return KEY_END;
    default:
        return 0;
    }
}

static int sequence_key(uint8_t final, unsigned parameter)
{
    switch (final) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'F':
        return KEY_END;
    case 'H':
        return KEY_HOME;
    case '~':
        return edit_key(parameter);
    default:
        return 0;
    }
}

// The key that @byte completes, or 0.
static int key_of(uint8_t byte)
{
    static struct ecma48 parser;
    switch (ecma48_feed(&parser, byte)) {
    case ECMA48_CHARACTER:
        return character_key(byte);
    case ECMA48_SEQUENCE:
        return sequence_key(byte, parser.parameter);
    default:
        return 0;
    }
}

static void serial_trap(struct regs *regs)
{
    (void)regs;
    uint8_t byte;
    while (uart_receive(&byte)) {
        int key = key_of(byte);
        if (key)
            input_put(key);
    }
    apic_end(VECTOR_COM1);
}

void serial_init(void)
{
    if (!uart_is_present())
        return;
    trap_handler(VECTOR_COM1, serial_trap);
    apic_route(COM1_IRQ, VECTOR_COM1);
    uart_enable_interrupts(); // last: with a byte waiting, the edge must find the line unmasked
}
