// The IDT: 256 interrupt gates.
#include "trap/idt.h"

#include "cpu/x86.h"
#include "trap/entry.h"
#include "trap/vectors.h"

static struct gate idt[VECTOR_COUNT];

/// INT3, INTO and the user vector are for ring 3 to use; INT n with any other is #GP there.
static unsigned gate_dpl(unsigned vector)
{
    return vector == VECTOR_BP || vector == VECTOR_OF || vector == VECTOR_USER ? 3 : 0;
}

/// Write the gate of @vector, which may be in use: faults/state.c makes the table anew. Keep to one
/// store a field. An initializer would clear the gate first, and an NMI find it so.
static void set_gate(unsigned vector, uint64_t stub)
{
    const struct vector_info *info = vector_info(vector);
    struct gate *gate = &idt[vector];
    gate->offset_low = (uint16_t)stub;
    gate->offset_middle = (uint16_t)(stub >> 16);
    gate->offset_high = (uint32_t)(stub >> 32);
    gate->selector = SELECTOR_KERNEL_CODE;
    gate->ist = info ? (uint8_t)info->ist : 0;
    gate->attributes = (uint8_t)(GATE_P | gate_dpl(vector) << GATE_DPL_SHIFT | GATE_INTERRUPT);
    gate->reserved = 0;
}

void idt_init(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        set_gate(vector, (uint64_t)isr_0_DE + vector * STUB_SIZE);
    idt_load();
}

void idt_load(void)
{
    const struct descriptor_register idtr = {sizeof(idt) - 1, (uint64_t)idt};
    lidt(&idtr);
}

struct gate *idt_gate(unsigned vector)
{
    return &idt[vector];
}

uint64_t gate_offset(const struct gate *gate)
{
    return (uint64_t)gate->offset_high << 32 | (uint64_t)gate->offset_middle << 16 |
           gate->offset_low;
}
