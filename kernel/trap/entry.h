// What C sees of asm/: every symbol of it, declared here and nowhere else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// asm/stubs.asm. The first of the 256 stubs, STUB_SIZE bytes each.
#define STUB_SIZE 16
extern const char isr_0_DE[];

// asm/entry.asm. Where trap_dispatch() returns to, the way out, and the NOP in whose place CLAC
// belongs.
extern const char trap_entry_return[] __asm__("trap_entry.return");
extern const char trap_entry_iretq[] __asm__("trap_entry.iretq");
extern uint8_t trap_entry_clac[] __asm__("trap_entry.clac");

// asm/user.asm

/// Run the code at @rip in ring 3, with 0 in the other registers. Returns when a handler makes its
/// frame return to ring_return in ring 0, with the RSP that is left in *kernel_rsp: the result is
/// the RAX of that frame.
uint64_t ring3_call(uint64_t rip, uint64_t rsp, uint64_t rflags, void *kernel_rsp);

/// The same for code of ring 0, which may also return by itself.
uint64_t ring0_call(uint64_t code, void *kernel_rsp);

extern const char ring_return[];

/// Above the RSP that they leave: the caller's RBP and the return address.
#define RING_CALL_RBP 48

// asm/peek.asm

/// Copy @size bytes from @address, whatever lies there, ring 3's pages included. False if not all
/// of them can be read. Needs the IDT where they cannot.
bool peek(void *to, uint64_t address, size_t size);

/// Read the model-specific register @msr. False, and @value left alone, if this CPU has none.
bool peek_msr(uint32_t msr, uint64_t *value);
