// Leaving code that has no way out of its own.
#include "trap/ring.h"

#include "cpu/x86.h"
#include "trap/entry.h"
#include "trap/stacks.h"

void ring_leave(struct regs *regs, uint64_t result)
{
    regs->rax = result;
    regs->rip = (uint64_t)ring_return;
    regs->cs = SELECTOR_KERNEL_CODE;
    regs->rflags = RFLAGS_FIXED;
    regs->rsp = this_cpu()->tss.rsp[0];
    regs->ss = SELECTOR_KERNEL_DATA;
}
