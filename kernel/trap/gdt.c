// GDT and TSS. The selectors are in x86.def.
#include "trap/gdt.h"

#include "cpu/x86.h"
#include "lib/string.h"
#include "trap/stacks.h"

static uint64_t *slot(struct cpu *cpu, unsigned selector)
{
    return &cpu->gdt[selector / 8];
}

static void set_tss_descriptor(struct cpu *cpu)
{
    uint64_t base = (uint64_t)&cpu->tss;
    uint64_t *descriptor = slot(cpu, SELECTOR_TSS);
    descriptor[0] = (sizeof(cpu->tss) - 1) | (base & 0xFFFFFF) << 16 | TYPE_TSS_AVAILABLE |
                    DESCRIPTOR_P | (base >> 24 & 0xFF) << 56;
    descriptor[1] = base >> 32;
}

uint64_t gdt_code_base(unsigned selector)
{
    if (selector & ERROR_TI || selector / 8 >= GDT_ENTRIES)
        return 0;
    uint64_t descriptor = *slot(this_cpu(), selector);
    if (descriptor & DESCRIPTOR_L)
        return 0;
    return descriptor_base(descriptor);
}

void gdt_init(void)
{
    struct cpu *cpu = this_cpu();
    const uint64_t data =
        DESCRIPTOR_LIMIT_4G | DESCRIPTOR_P | DESCRIPTOR_S | TYPE_DATA_RW | TYPE_ACCESSED;
    const uint64_t code =
        DESCRIPTOR_LIMIT_4G | DESCRIPTOR_P | DESCRIPTOR_S | TYPE_CODE_ER | TYPE_ACCESSED;
    *slot(cpu, SELECTOR_KERNEL_CODE) = code | DESCRIPTOR_L;
    *slot(cpu, SELECTOR_KERNEL_DATA) = data | DESCRIPTOR_D;
    *slot(cpu, SELECTOR_USER_CODE32) = code | DESCRIPTOR_D | DESCRIPTOR_DPL3;
    *slot(cpu, SELECTOR_USER_DATA) = data | DESCRIPTOR_D | DESCRIPTOR_DPL3;
    *slot(cpu, SELECTOR_USER_CODE) = code | DESCRIPTOR_L | DESCRIPTOR_DPL3;
    *slot(cpu, SELECTOR_NOT_PRESENT) = (data | DESCRIPTOR_D) & ~DESCRIPTOR_P;
    *slot(cpu, SELECTOR_SPARE) = 0;
    *slot(cpu, SELECTOR_SPARE + 8) = 0;

    // Made elsewhere: in place, the slots would hold 0 for a moment, and a #MC finds no stack
    // there.
    const struct tss tss = {
        .rsp[0] = cpu_address(cpu, KERNEL_STACK_HIGH),
        .ist[0] = cpu_address(cpu, DF_STACK_HIGH),
        .ist[1] = cpu_address(cpu, MC_STACK_HIGH),
        .io_map_base = sizeof(struct tss), // beyond the limit: no port is open to ring 3
    };
    memcpy(&cpu->tss, &tss, sizeof(tss));
    set_tss_descriptor(cpu);

    const struct descriptor_register gdtr = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
    lgdt(&gdtr);
    set_segments(SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA);
    ltr(SELECTOR_TSS);
    lldt(0); // after a reset it is usable: base 0, limit FFFFH. SDM vol. 3, table 9-1
}
