// Taking down a trap.
#include "faults/record.h"

#include "cpu/x86.h"
#include "devices/apic.h"
#include "lib/print.h"
#include "trap/entry.h"
#include "trap/vectors.h"

// Opcodes: SDM vol. 2, INT n/INTO/INT3.
#define OPCODE_INT3 0xCC
#define OPCODE_INT  0xCD
#define OPCODE_INTO 0xCE

#define FIRST_INTERRUPT_VECTOR 16 // SDM vol. 3, 10.5.2
#define EXCEPTIONS             32 // SDM vol. 3, 6.2

/// Nothing in the frame tells INT n from an exception without a code: the bytes in front of the
/// saved RIP do.
static bool is_software_interrupt(const struct regs *regs)
{
    const struct vector_info *info = vector_info(regs->vector);
    if (info && info->has_error_code && !regs->slot_opened)
        return false;
    uint8_t last = 0, before = 0;
    peek(&last, regs->rip - 1, sizeof(last));
    peek(&before, regs->rip - 2, sizeof(before));
    return (before == OPCODE_INT && last == regs->vector) ||
           (regs->vector == VECTOR_BP && last == OPCODE_INT3) ||
           (regs->vector == VECTOR_OF && last == OPCODE_INTO);
}

static enum origin find_origin(const struct regs *regs)
{
    if (regs->vector >= FIRST_INTERRUPT_VECTOR && apic_in_service(regs->vector))
        return ORIGIN_IRQ;
    if (is_software_interrupt(regs))
        return ORIGIN_INT;
    // A spurious interrupt is not in service either, but there are no exceptions up there.
    return regs->vector >= EXCEPTIONS ? ORIGIN_IRQ : ORIGIN_CPU;
}

void record_take(struct record *record, const struct regs *regs)
{
    const struct vector_info *info = vector_info(regs->vector);
    *record = (struct record){
        .regs = *regs,
        .address = (uint64_t)regs,
        .cr2 = read_cr2(),
        .dr6 = read_dr6(),
        .origin = find_origin(regs),
        .code_pushed = info && info->has_error_code && !regs->slot_opened,
    };
}

static void print_registers(const struct regs *regs, const struct expectation *expected)
{
    struct expected_register due;
    for (unsigned i = 0; expected_register(expected, i, &due); i++)
        print(" %s=0x%lx", due.name, ((const uint64_t *)regs)[due.place]);
}

void record_print(const struct record *record, const char *name, const struct expectation *expected)
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
