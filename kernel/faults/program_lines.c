// What `raise` says to programs, of the traps that are due and of those that came.
#include "faults/program_lines.h"

#include "lib/print.h"
#include "trap/vectors.h"

void expect_line_print(const struct fault *fault, const struct expectation *expected)
{
    print("expect: name=%s ring=%u vector=%u", fault->name, fault->ring, expected->vector);
    if (expected->flags & EXPECT_INTERRUPTED) {
        print(" interrupted=1\n");
        return;
    }
    if (expected->flags & EXPECT_UNDELIVERED) {
        print(" undelivered=1\n");
        return;
    }
    print(expected->flags & EXPECT_CODE ? " error=0x%x" : " error=none", expected->error_code);
    if (expected->flags & EXPECT_OR_CODE)
        print(" or_error=0x%x", expected->or_code);
    if (!(expected->flags & EXPECT_ANYWHERE))
        print(" rip=0x%lx", expected->rip);
    if (expected->flags & EXPECT_CR2)
        print(" cr2=0x%lx", expected->cr2);
    if (expected->flags & EXPECT_DR6)
        print(" dr6=0x%lx", expected->dr6);
    if (expected->flags & EXPECT_CS)
        print(" cs=0x%x", expected->cs);
    if (expected->flags & EXPECT_SS)
        print(" ss=0x%x", expected->ss);
    if (expected->flags & EXPECT_RSP)
        print(" rsp=0x%lx", expected->rsp);
    if (expected->rflags_set)
        print(" rflags_set=0x%lx", expected->rflags_set);
    if (expected->rflags_clear)
        print(" rflags_clear=0x%lx", expected->rflags_clear);
    struct expected_register due;
    for (unsigned i = 0; expected_register(expected, i, &due); i++)
        print(" %s=0x%lx", due.name, due.value);
    print("\n");
}

static void print_registers(const struct regs *regs, const struct expectation *expected)
{
    struct expected_register due;
    for (unsigned i = 0; expected_register(expected, i, &due); i++)
        print(" %s=0x%lx", due.name, ((const uint64_t *)regs)[due.place]);
}

void trap_line_print(const struct record *record, const char *name,
                     const struct expectation *expected)
{
    static const char *const origins[] = {"cpu", "int", "irq", "unknown"};
    const struct regs *regs = &record->regs;
    print("trap: name=%s vector=%u error=", name, regs->vector);
    print(record->code_pushed ? "0x%lx" : "none", regs->error_code);
    print(" rip=0x%lx cs=0x%lx rflags=0x%lx rsp=0x%lx ss=0x%lx", regs->rip, regs->cs, regs->rflags,
          regs->rsp, regs->ss);
    if (regs->vector == VECTOR_PF || regs->vector == VECTOR_DF) // #DF: of a #PF before it
        print(" cr2=0x%lx", record->cr2);
    if (regs->vector == VECTOR_DB)
        print(" dr6=0x%lx", record->dr6);
    if (expected)
        print_registers(regs, expected);
    print(" origin=%s\n", origins[record->origin]);
}
