// The fuzzer's other half, in assembly: see trampoline.asm.
#pragma once

#include <stdint.h>

#include "trap/regs.h"

#define LANDING_SIZE  32
#define LANDING_COUNT 64

/// What the dispatcher saw when the path called it.
struct call {
    uint64_t rdi, rbp, rsp, rflags;
};

/// Load the state described below, jump to the stub, and return from where IRETQ went. The caller
/// has pushed the CPU's frame at trampoline_frame.
void trampoline_raise(void);

/// LANDING_COUNT places of LANDING_SIZE bytes that an interrupted program's RIP may point at.
extern const char trampoline_landings[];

/// To be set before: the program's registers and RFLAGS, RSP at the stub, the stub.
extern struct regs trampoline_before;
extern uint64_t trampoline_frame, trampoline_stub;

/// To be set before: the right argument of the dispatcher, whether it rewrites the frame and with
/// what, and the seed of what it leaves in the registers that it may destroy.
extern uint64_t trampoline_regs, trampoline_rewrite, trampoline_garbage;
extern struct regs trampoline_rewritten;

/// To be set before: XSAVE's component bitmap, its low 32 bits, and two areas for it.
extern uint64_t trampoline_components;
extern void *trampoline_extended_before, *trampoline_extended_after;

/// To be read afterwards: how the dispatcher was called; the frame that it saw, if its argument
/// was right; and the general registers, RFLAGS, RSP and RIP after the return.
extern struct call trampoline_call;
extern struct regs trampoline_seen, trampoline_after;
