// Taking down a trap.
#include "report/record.h"

#include "cpu/x86.h"
#include "devices/apic.h"
#include "report/bad_return.h"
#include "trap/entry.h"
#include "trap/gdt.h"
#include "trap/vectors.h"

// Opcodes: SDM vol. 2, INT n/INTO/INT3.
#define OPCODE_INT3 0xCC
#define OPCODE_INT  0xCD
#define OPCODE_INTO 0xCE

#define FIRST_INTERRUPT_VECTOR 16 // SDM vol. 3, 10.5.2

/// Nothing in the frame tells INT n from an exception without a code: the bytes in front of the
/// saved RIP do.
static bool is_software_interrupt(const struct regs *regs)
{
    const struct vector_info *info = vector_info(regs->vector);
    if (info && info->has_error_code && !regs->slot_opened)
        return false;
    uint64_t next = gdt_code_base((unsigned)regs->cs) + regs->rip;
    uint8_t last, before = 0;
    if (!peek(&last, next - 1, sizeof(last)))
        return false;
    peek(&before, next - 2, sizeof(before));
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
    return regs->vector >= EXCEPTION_COUNT ? ORIGIN_IRQ : ORIGIN_CPU;
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
    struct return_frame frame;
    if (bad_return_frame(regs, &frame))
        bad_return_describe(regs, record->bad_return, sizeof(record->bad_return));
}
