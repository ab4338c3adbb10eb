// The C++ side of stubs.asm: a frame that inherits what all frames have.
#include <stdint.h>

struct general {
#ifdef FIELDS_SWAPPED
    uint64_t r14, r15;
#else
    uint64_t r15, r14;
#endif
    uint64_t r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
};

struct frame : general {
    uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

uint64_t seen;

extern "C" void handler(frame *frame)
{
    seen += frame->vector + frame->r14;
}
