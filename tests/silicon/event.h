// One interrupt of the fuzzer: everything about it follows from a seed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "trap/regs.h"

struct event {
    uint64_t seed;
    unsigned vector;
    bool code_pushed;  ///< the CPU pushes an error code
    bool code_missing; ///< none came, though the vector carries one as an exception
    bool rewritten;    ///< the dispatcher writes all slots of the frame

    uint64_t top;        ///< where the CPU's frame begins: 16-byte aligned, ss right below
    struct regs program; ///< the interrupted program, and the frame that C should see
    struct regs resumed; ///< the frame that C leaves behind, and what should be resumed
    uint64_t extended;   ///< the number of the program's vector registers, see extended.h
};

/// Make the event of @seed.
void event_make(struct event *event, uint64_t seed);

/// Let it happen: push what the CPU would push and run the stub.
void event_raise(const struct event *event);

/// Describe @event in at most @size bytes at @text.
void event_describe(const struct event *event, char *text, int size);

/// What is on the events' stack where no event has written.
#define STACK_FILL 0xA5A5A5A5A5A5A5A5

/// Fill the stack from @from up to @to, or all of it.
void event_stack_clean(uint64_t from, uint64_t to);
void event_stack_init(void);
