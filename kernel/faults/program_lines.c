// What `raise` says of a trap to programs.
#include "faults/trap_line.h"

#include "lib/print.h"
#include "trap/vectors.h"

static void print_registers(const struct regs *regs, const struct expectation *expected)
{
    struct expected_register due;
    for (unsigned i = 0; expected_register(expected, i, &due); i++)
        print(" %s=0x%lx", due.name, ((const uint64_t *)regs)[due.place]);
}

void trap_line_print(const struct record *record, const char *name,
                     const struct expectation *expected)
{
    static const char *const origins[] = {"cpu", "int", "irq"};
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
