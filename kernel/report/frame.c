// Drawing the stack of a trap. The highest address is on top, as the stack grows downwards.
#include "report/frame.h"

#include "lib/print.h"
#include "report/report.h"
#include "report/symbols.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

struct slot {
    const char *name;
    size_t offset; ///< in struct regs
};

// clang-format off
#define SLOT(field) {#field, offsetof(struct regs, field)}
// clang-format on

static const struct slot cpu_slots[] = {SLOT(ss), SLOT(rsp), SLOT(rflags), SLOT(cs), SLOT(rip)};
static const struct slot code_slot[] = {{"error code", offsetof(struct regs, error_code)}};
static const struct slot vector_slot[] = {{"vector", offsetof(struct regs, vector)}};
static const struct slot register_slots[] = {
    SLOT(rax), SLOT(rcx), SLOT(rdx), SLOT(rbx), SLOT(rsi), SLOT(rdi), SLOT(rbp), SLOT(r8),
    SLOT(r9),  SLOT(r10), SLOT(r11), SLOT(r12), SLOT(r13), SLOT(r14), SLOT(r15),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/// One row a slot; @pusher stands at the first.
static void draw_slots(const struct record *record, const struct slot *slots, size_t count,
                       const char *pusher)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = *(const uint64_t *)((const char *)&record->regs + slots[i].offset);
        print("  %016lx | %016lx | ", record->address + slots[i].offset, value);
        if (i == 0)
            print("%-10s  %s\n", slots[i].name, pusher);
        else
            print("%s\n", slots[i].name);
    }
}

/// A line between two slots: where RSP, which points at the lowest slot so far, stood at @stage.
static void draw_stage(const struct record *record, size_t lowest, const char *stage)
{
    uint64_t rsp = record->address + lowest;
    print("                   +------------------+ <- RSP at %s, mod 16 = %lu\n", stage, rsp % 16);
}

static void draw_top(const struct record *record)
{
    const struct regs *regs = &record->regs;
    uint64_t top = record->address + sizeof(*regs);
    if (regs->rsp - top < 16) {
        print("  %016lx   RSP when the trap came, mod 16 = %lu\n", regs->rsp, regs->rsp % 16);
        if (regs->rsp > top)
            print("                     %2lu bytes: the gap, for the CPU aligns RSP down to 16\n",
                  regs->rsp - top);
    } else {
        const struct stack *stack = stack_at(record->address);
        bool from_user = (regs->cs & 3) == 3;
        print("  %016lx   RSP when the trap came, on another stack\n", regs->rsp);
        print("  %016lx   the CPU took the %s from %s\n", top, stack ? stack->name : "stack",
              stack && stack->low == KERNEL_STACK_LOW ? "TSS.RSP0" : "the gate's IST slot");
        if (from_user)
            print("                     (mod 16 = 0: it aligns RSP down to 16 here too)\n");
    }
    print("                   +------------------+\n");
}

static void draw_rip(const struct record *record)
{
    char name[56];
    symbols_describe(record->regs.rip, name, sizeof(name));
    print("%s in ring %lu\nsaved RIP: %s\n\n", report_vector(record->regs.vector),
          record->regs.cs & 3, name);
}

void frame_draw_arrival(const struct record *record)
{
    char stub[32];
    unsigned vector = record->regs.vector;
    const struct vector_info *info = vector_info(vector);
    print_to(stub, sizeof(stub), "isr_%u%s%s", vector, info ? "_" : "", info ? info->mnemonic : "");
    const size_t code = offsetof(struct regs, error_code);

    draw_rip(record);
    draw_top(record);
    draw_slots(record, cpu_slots, COUNT(cpu_slots), "the CPU");
    if (record->code_pushed) {
        draw_slots(record, code_slot, 1, "the CPU");
        draw_stage(record, code, stub);
    } else {
        draw_stage(record, offsetof(struct regs, rip), stub);
        draw_slots(record, code_slot, 1,
                   record->regs.slot_opened ? ".open_slot: no code came" : "the stub: a dummy");
    }
    draw_slots(record, vector_slot, 1,
               record->regs.slot_opened ? "the stub, and slot_opened" : "the stub");
    draw_stage(record, offsetof(struct regs, vector), "trap_entry");
}

void frame_draw_registers(const struct record *record)
{
    draw_slots(record, register_slots, COUNT(register_slots), "trap_entry");
    draw_stage(record, 0, "the call");
    print("                     RDI = RBP = struct regs *: trap_dispatch(struct regs *)\n");
}
