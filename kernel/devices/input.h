// Keys as they come from the keyboard and the serial line: one queue, filled by the handlers of
// both, emptied by the monitor.
#pragma once

/// Keys beyond ASCII.
enum key {
    KEY_UP = 0x100,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
};

/// Append @key (ASCII, a control character or an `enum key`); dropped if the queue is full.
/// Called from interrupt handlers.
void input_put(int key);

/// The next key; halts the CPU with interrupts on until there is one.
int input_get(void);
