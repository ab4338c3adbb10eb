// The C side of stubs.asm, right by default and wrong by one -D.
#include <stdint.h>

struct regs {
#ifdef FIELDS_SWAPPED
    uint64_t r14, r15, r13, r12;
#else
    uint64_t r15, r14, r13, r12;
#endif
    uint64_t r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

uint64_t seen;
#ifdef USES_SSE
float scale;
#endif

#ifdef USES_RED_ZONE
__attribute__((noinline)) uint64_t red(uint64_t a)
{
    volatile uint64_t local[4] = {a, a, a, a};
    return local[seen & 3];
}
#endif

#ifdef VARIADIC
// Its prologue stores the XMM registers that arguments may be in, and changes none.
__attribute__((noinline)) void report(int count, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, count);
    while (count--)
        seen += __builtin_va_arg(arguments, uint64_t);
    __builtin_va_end(arguments);
}
#endif

#ifdef FENCES
// A full barrier by a locked instruction that adds nothing, below the stack as glibc has it.
__attribute__((noinline)) void fence(void)
{
    __asm__ volatile("lock addl $0, -4(%%rsp)" ::: "memory", "cc");
}
#endif

#ifdef ADDS_MINUS_128
// `add $-128, %rsp` is a byte shorter with its immediate than `sub $128, %rsp`.
__attribute__((noinline, optimize("no-omit-frame-pointer"))) uint64_t framed(uint64_t index)
{
    volatile uint64_t local[16];
    local[3] = index;
    return local[3];
}
#endif

#ifdef BY_VALUE
void handler(struct regs regs)
{
    seen = regs.vector + regs.error_code;
}
#else
void handler(struct regs *regs)
{
    seen += regs->vector + regs->error_code;
#ifdef USES_SSE
    scale = scale * 2.5f;
#endif
#ifdef USES_RED_ZONE
    seen += red(seen);
#endif
#ifdef VARIADIC
    report(2, regs->vector, regs->error_code);
#endif
#ifdef USES_GS
    seen += *(__seg_gs uint64_t *)8;
#endif
#ifdef FENCES
    fence();
#endif
#ifdef ADDS_MINUS_128
    seen += framed(seen);
#endif
#ifdef CHANGES_ALL
    __asm__ volatile("" ::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
    __asm__ volatile("xor %%eax, %%eax; xor %%r11d, %%r11d" ::: "rax", "r11");
#endif
}
#endif
