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
#ifdef CHANGES_ALL
    __asm__ volatile("" ::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
    __asm__ volatile("xor %%eax, %%eax; xor %%r11d, %%r11d" ::: "rax", "r11");
#endif
}
#endif
