// The 8259 interrupt controllers of the PC, which must be out of the way before the APICs work:
// the firmware leaves them on vectors that are exceptions. Intel 8259A datasheet.
#pragma once

/// Silence the pair and take its spurious interrupts.
void pic_init(void);

/// Move the 8259 pair to vectors 32-47, mask all of its inputs, and forget what they asked for.
void pic_silence(void);
