// Keys as they come from the keyboard and the serial line: one queue, filled by the handlers of
// both, emptied by the monitor.
#pragma once

#include <stdbool.h>

/// Keys beyond ASCII.
enum key {
    KEY_UP = 0x100,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_LOST, ///< in the place of one or more for which there was no room
};

/// What ends a line: Enter is CR, on a terminal as on the keyboard; the lines of a file end in LF.
#define KEY_ENTER '\r'

/// Append @key (ASCII, a control character or an `enum key`). Called from interrupt handlers.
void input_put(int key);

/// The next key; halts the CPU with interrupts on until there is one.
int input_get(void);

/// Whether there is a key that input_get() would return at once.
bool input_is_pending(void);
