// Running hostile programs in ring 3, and holding what comes of each against what the interrupt
// path promises.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hostile/program.h"

/// How a program ended: with a trap, or with the CPU taken from it, by the timer or by an NMI.
struct ending {
    struct regs regs; ///< of its last trap
    uint64_t cr2;
    enum { TRAPPED, PREEMPTED, PREEMPTED_BY_NMI } how;
    unsigned delayed; ///< debug exceptions that MOV SS has held back until ring 0
    char finding[96]; ///< what must not be, or ""
};

/// Map what programs need.
void hostile_init(void);

/// Take the machine over for programs, and give it back. In between, interrupts are off.
void hostile_begin(void);
void hostile_end(void);

/// Run @program. The ending stays valid until the next call.
const struct ending *hostile_run(const struct program *program);
