// Why IRETQ has refused a frame: its checks, in its order. SDM vol. 2, IRET, "Operation".
#include "report/bad_return.h"

#include "cpu/x86.h"
#include "lib/print.h"
#include "trap/entry.h"
#include "trap/gdt.h"

#define DESCRIPTOR_SIZE 8

/// Whether bits 47 to 63 are all alike: SDM vol. 1, 3.3.7.1.
static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

bool bad_return_frame(const struct regs *regs, struct return_frame *frame)
{
    if (regs->rip != (uint64_t)trap_entry_iretq || regs->cs & SELECTOR_RPL)
        return false;
    if (!peek(frame, regs->rsp, sizeof(*frame)))
        *frame = (struct return_frame){0};
    return true;
}

/// The descriptor of @selector in the table of @base and @limit.
static bool read_descriptor(uint64_t base, uint64_t limit, uint64_t selector, uint64_t *descriptor)
{
    uint64_t offset = selector & SELECTOR_INDEX;
    return offset + DESCRIPTOR_SIZE - 1 <= limit &&
           peek(descriptor, base + offset, DESCRIPTOR_SIZE);
}

/// The same in the table that @selector names. False if it reaches beyond it, or there is none.
static bool find_descriptor(uint64_t selector, uint64_t *descriptor)
{
    struct descriptor_register gdtr;
    uint64_t ldt[2];
    sgdt(&gdtr);
    if (!(selector & SELECTOR_TI))
        return read_descriptor(gdtr.base, gdtr.limit, selector, descriptor);
    uint64_t own = sldt();
    if (!(own & SELECTOR_INDEX) || !read_descriptor(gdtr.base, gdtr.limit, own, &ldt[0]) ||
        !read_descriptor(gdtr.base, gdtr.limit, own + DESCRIPTOR_SIZE, &ldt[1]))
        return false;
    uint64_t base = (ldt[0] >> 16 & 0xFFFFFF) | (ldt[0] >> 56) << 24 | ldt[1] << 32;
    return read_descriptor(base, ldt[0] & 0xFFFF, selector, descriptor);
}

/// What is wrong with @cs, or null.
static const char *wrong_with_cs(uint64_t cs)
{
    uint64_t descriptor;
    if (!(cs & (SELECTOR_INDEX | SELECTOR_TI)))
        return "is null";
    if (!find_descriptor(cs, &descriptor))
        return "lies beyond its table";
    if (!(descriptor & DESCRIPTOR_S) || !(descriptor & TYPE_CODE))
        return "is no code segment";
    unsigned rpl = cs & SELECTOR_RPL, dpl = descriptor >> DESCRIPTOR_DPL_SHIFT & 3;
    if (descriptor & TYPE_CONFORMING ? dpl > rpl : dpl != rpl)
        return "has another RPL than its segment's DPL";
    if (!(descriptor & DESCRIPTOR_P))
        return "is a segment that is not present";
    if (descriptor & DESCRIPTOR_L && descriptor & DESCRIPTOR_D)
        return "is a segment with both L and D";
    return NULL;
}

/// What is wrong with @ss beside a good @cs, or null. In ring 0 it may be null: SDM vol. 3, 6.14.3.
static const char *wrong_with_ss(uint64_t ss, uint64_t cs)
{
    uint64_t descriptor;
    unsigned rpl = ss & SELECTOR_RPL;
    if (!(ss & (SELECTOR_INDEX | SELECTOR_TI)))
        return cs & SELECTOR_RPL ? "is null" : NULL;
    if (!find_descriptor(ss, &descriptor))
        return "lies beyond its table";
    if (rpl != (cs & SELECTOR_RPL))
        return "has another RPL than CS";
    if (!(descriptor & DESCRIPTOR_S) || descriptor & TYPE_CODE || !(descriptor & TYPE_WRITABLE))
        return "is no writable data segment";
    if ((descriptor >> DESCRIPTOR_DPL_SHIFT & 3) != rpl)
        return "has another RPL than its segment's DPL";
    if (!(descriptor & DESCRIPTOR_P))
        return "is a segment that is not present";
    return NULL;
}

void bad_return_describe(const struct regs *regs, char *text, size_t size)
{
    struct return_frame frame;
    const char *wrong;
    if (!peek(&frame, regs->rsp, sizeof(frame)))
        print_to(text, size, "it cannot be read");
    else if (regs->rflags & RFLAGS_NT)
        print_to(text, size, "RFLAGS.NT is set: IRETQ would have to switch tasks");
    else if ((wrong = wrong_with_cs(frame.cs)))
        print_to(text, size, "CS 0x%lx %s", frame.cs & 0xFFFF, wrong);
    else if ((wrong = wrong_with_ss(frame.ss, frame.cs)))
        print_to(text, size, "SS 0x%lx %s", frame.ss & 0xFFFF, wrong);
    else if (!is_canonical(frame.rip))
        print_to(text, size, "RIP 0x%lx is not canonical", frame.rip);
    else
        print_to(text, size, "nothing is wrong with it now");
}
