// The PS/2 keyboard behind the 8042 controller, US layout, by interrupt.
#pragma once

/// Deliver the keys of the keyboard to input_put(). Does nothing on a machine without an 8042.
/// Needs apic_init().
void keyboard_init(void);
