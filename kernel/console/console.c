// The console: hands every text to all output devices. None of them needs interrupts; the screen
// alone needs memory.
#include "console/console.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "console/screen.h"
#include "cpu/x86.h"
#include "devices/shootdown.h"
#include "devices/uart.h"
#include "trap/stacks.h"

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

// The CPU that has begun a line, until it ends it. An interrupt handler must not print: the line
// may be that of the code it has interrupted. A panic may, it waits for nobody.
static _Atomic(const struct cpu *) speaker;
static atomic_bool is_taken_over;

static void begin(void)
{
    const struct cpu *nobody = NULL, *here = this_cpu();
    while (!atomic_compare_exchange_weak(&speaker, &nobody, here) && nobody != here) {
        nobody = NULL;
        shootdown_serve();
        pause();
    }
}

/// A CPU that panics may have taken the line over meanwhile: it keeps it.
static void end(void)
{
    const struct cpu *here = this_cpu();
    atomic_compare_exchange_strong(&speaker, &here, NULL);
}

void console_take_over(void)
{
    is_taken_over = true;
    speaker = this_cpu();
}

// The screen comes last: a panic may be about the page tables that it needs.
void console_write(const char *text, size_t length)
{
    begin();
    debug_port_write(text, length);
    uart_write(text, length);
    screen_write(text, length);
    if (length > 0 && text[length - 1] == '\n' && !is_taken_over)
        end();
}

void console_last_word(const char *text, size_t length)
{
    uart_write(text, length);
}
