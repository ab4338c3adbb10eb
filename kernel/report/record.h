// What was seen of one trap, kept after its stack is gone.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "trap/regs.h"

/// Who asked for the trap: an exception of the CPU, an instruction (INT n, INT3, INTO), a device;
/// or a signal of Linux has told of it, which does not say.
enum origin { ORIGIN_CPU, ORIGIN_INT, ORIGIN_IRQ, ORIGIN_UNKNOWN };

struct record {
    struct regs regs;
    uint64_t address; ///< where `regs` lay on the stack
    uint64_t cr2, dr6;
    enum origin origin;
    bool code_pushed;    ///< the CPU pushed an error code
    char bad_return[64]; ///< what was wrong with the frame that the entry path's IRETQ refused
};

/// Take down the trap whose frame is @regs, from its handler.
void record_take(struct record *record, const struct regs *regs);
