// The end of code that ring3_call() or ring0_call() of asm/user.asm has started.
#pragma once

#include <stdint.h>

#include "trap/regs.h"

/// Make the trap @regs return to the caller of ring3_call() or ring0_call() on this CPU, whose
/// kernel_rsp must be TSS.RSP0, with @result.
void ring_leave(struct regs *regs, uint64_t result);
