// The console: hands every text to all output devices. None of them needs interrupts; the screen
// alone needs memory.
#include "console/console.h"

#include <stdint.h>

#include "console/screen.h"
#include "cpu/x86.h"
#include "devices/uart.h"

// Bochs shows what is written to its port 0xE9 and says that it does by a read of the same
// number; QEMU's isa-debugcon follows it. Bochs user manual, 4.3: port_e9_hack.
#define DEBUG_PORT         0xE9
#define DEBUG_PORT_PRESENT 0xE9

static void debug_port_write(const char *text, size_t length)
{
    if (inb(DEBUG_PORT) != DEBUG_PORT_PRESENT)
        return;
    for (size_t i = 0; i < length; i++)
        outb(DEBUG_PORT, (uint8_t)text[i]);
}

// The screen comes last: a panic may be about the page tables that it needs.
void console_write(const char *text, size_t length)
{
    debug_port_write(text, length);
    uart_write(text, length);
    screen_write(text, length);
}

void console_last_word(const char *text, size_t length)
{
    uart_write(text, length);
}
