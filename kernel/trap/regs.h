// struct regs: the machine state of the interrupted program as asm/entry.asm lays it on the
// stack, lowest address first. The assertions pin every offset that assembly relies on.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct regs {
    // Pushed by trap_entry, the last one first.
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rbx, rdx, rcx, rax;

    // Pushed by the stub. slot_opened tells that the CPU pushed no code for a vector that
    // carries one as an exception (INT n, IPI), and that the entry made room for it.
    uint32_t vector;
    uint32_t slot_opened;

    // Pushed by the CPU if the event carries a code, else a dummy 0 of the stub.
    uint64_t error_code;

    // Pushed by the CPU, always: SDM vol. 3, 6.14.2.
    uint64_t rip, cs, rflags, rsp, ss;
};

/// Bytes that the CPU pushes without an error code: RIP, CS, RFLAGS, RSP, SS.
#define CPU_FRAME_SIZE 40

#define NOTE(text)
#define OFFSET(name, field, offset)                                                                \
    _Static_assert(offsetof(struct regs, field) == (offset), "asm/entry.asm lays out " #field);
#include "trap/regs.def"
#undef OFFSET
#undef NOTE
_Static_assert(sizeof(struct regs) == 176, "a multiple of 16: see the realign in asm/entry.asm");
