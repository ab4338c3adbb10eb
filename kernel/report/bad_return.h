// The trap that comes of a frame that cannot be returned to: the fault of the entry path's own
// IRETQ.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "trap/regs.h"

/// What the CPU pushes and IRETQ takes back. SDM vol. 3, 6.14.2.
struct return_frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

/// Whether @regs is the fault of trap_entry's IRETQ. If so, *frame is what it was to return to, all
/// zero where it cannot be read.
bool bad_return_frame(const struct regs *regs, struct return_frame *frame);

/// What is wrong with the frame of which bad_return_frame(@regs) was true, by the segments as they
/// are now: "CS 0x10 is no code segment". At most 60 characters.
void bad_return_describe(const struct regs *regs, char *text, size_t size);
