// The walk along the frame pointers. A return address inside trap_entry means that the saved RBP
// is no frame pointer but the `struct regs *` that trap_entry holds there: the walk goes on with
// the code that the trap interrupted. Code interrupted before its own `push rbp; mov rbp, rsp`
// loses its immediate caller this way; the unwind rows of asm/ do not, see `make debug`.
#include "report/backtrace.h"

#include "cpu/x86.h"
#include "lib/print.h"
#include "report/symbols.h"
#include "trap/entry.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

#define FRAME_LIMIT 24

struct frame_record {
    uint64_t rbp, return_address;
};

static bool read_kernel(void *to, uint64_t address, size_t size)
{
    return address % 8 == 0 && address >> 63 && peek(to, address, size);
}

static void print_frame(unsigned number, uint64_t rip)
{
    char name[56];
    symbols_describe(rip, name, sizeof(name));
    print("  #%-2u 0x%016lx %s\n", number, rip, name);
}

static void print_trap(const struct regs *regs)
{
    const struct vector_info *info = vector_info(regs->vector);
    print("      --- trap %u %s%s, taken in ring %u ---\n", regs->vector, info ? "#" : "",
          info ? info->mnemonic : "", (unsigned)regs->cs & 3);
}

static bool is_on_ist(uint64_t address)
{
    const struct stack *stack = stack_at(address);
    return stack && stack->high != KERNEL_STACK_HIGH;
}

/// Where the frames begin that called what @regs, the frame at @address, has interrupted. Ring 3
/// has whatever it likes in RBP: its caller is that of ring3_call(), by what that has left at
/// TSS.RSP0. That was where the frame ends, unless it is on a stack of the IST; ring 3 may have
/// been entered again since.
static uint64_t frame_of(const struct regs *regs, uint64_t address)
{
    if (!(regs->cs & SELECTOR_RPL))
        return regs->rbp;
    uint64_t rsp0 = is_on_ist(address) ? this_cpu()->tss.rsp[0] : address + sizeof(*regs);
    return rsp0 + RING_CALL_RBP;
}

void backtrace_trap(const struct regs *regs)
{
    backtrace(regs->rip, frame_of(regs, (uint64_t)regs));
}

bool backtrace_find_trap(uint64_t rbp, struct regs *regs)
{
    struct frame_record record;
    for (unsigned number = 0; number < FRAME_LIMIT; number++) {
        if (!read_kernel(&record, rbp, sizeof(record)))
            return false;
        rbp = record.rbp;
        if (record.return_address == (uint64_t)trap_entry_return)
            return read_kernel(regs, rbp, sizeof(*regs));
    }
    return false;
}

void backtrace(uint64_t rip, uint64_t rbp)
{
    struct frame_record record;
    struct regs regs;
    for (unsigned number = 0; number < FRAME_LIMIT; number++) {
        print_frame(number, rip);
        if (rbp == 0)
            return;
        if (!read_kernel(&record, rbp, sizeof(record))) {
            print("      --- RBP 0x%lx is no frame of the kernel: the walk ends ---\n", rbp);
            return;
        }
        rip = record.return_address;
        rbp = record.rbp;
        if (rip == (uint64_t)trap_entry_return && read_kernel(&regs, rbp, sizeof(regs))) {
            print_trap(&regs);
            rip = regs.rip;
            rbp = frame_of(&regs, rbp);
        }
    }
    print("      --- and more ---\n");
}
