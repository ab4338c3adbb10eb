// Everything the kernel says: one text, shown on the serial line, on the screen, and on the
// 0xE9 debug port where an emulator offers one.
#pragma once

#include <stddef.h>

/// Write @length bytes of @text to every device that is ready. "\n" starts a new line. Of the
/// terminal's control codes only \b, \r, \t and the sequences of screen_write() are understood.
/// No other CPU writes until the line has ended, so lines come whole.
void console_write(const char *text, size_t length);

/// Let this CPU alone write from now on, even into another one's line: for a panic, which must not
/// wait for a CPU that may never go on.
void console_take_over(void);

/// Write it to the serial line alone: for a panic whose report has trapped, on any other device
/// perhaps. It takes nothing but ports.
void console_last_word(const char *text, size_t length);
