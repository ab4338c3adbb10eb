// A kernel that has taken Barestub's path into itself: what it adds is trap_dispatch(), a TSS with
// two stacks, and a few traps to see it work.
#include "cpu/x86.h"
#include "trap/idt.h"
#include "trap/regs.h"
#include "trap/vectors.h"

#define COM1            0x3F8
#define TSS_SELECTOR    0x10
#define ISA_DEBUG_EXIT  0xF4
#define UD2_LENGTH      2
#define TSS_AVAILABLE   (0x89ul << 40)

extern uint64_t gdt[];

static struct {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7];
} __attribute__((packed)) tss;

static _Alignas(16) char df_stack[4096], mc_stack[4096];

static void print(const char *text)
{
    for (; *text; text++)
        outb(COM1, (uint8_t)*text);
}

static void print_hex(uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        outb(COM1, (uint8_t)"0123456789abcdef"[value >> shift & 15]);
}

/// All that asm/entry.asm asks for.
void trap_dispatch(struct regs *regs)
{
    const struct vector_info *info = vector_info(regs->vector);
    print(info ? info->mnemonic : "?");
    print(regs->slot_opened || !info || !info->has_error_code ? " no code" : " code ");
    if (!regs->slot_opened && info && info->has_error_code)
        print_hex(regs->error_code);
    print("\n");
    if (regs->vector == VECTOR_UD)
        regs->rip += UD2_LENGTH;
    if (regs->vector == VECTOR_PF)
        regs->rip = regs->rbx; // where the faulting code wants to go on
}

static void tss_init(void)
{
    uint64_t base = (uint64_t)&tss;
    tss.ist[0] = (uint64_t)(df_stack + sizeof(df_stack));
    tss.ist[1] = (uint64_t)(mc_stack + sizeof(mc_stack));
    gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xFFFFFF) << 16 | TSS_AVAILABLE |
                            (base >> 24 & 0xFF) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
    ltr(TSS_SELECTOR);
}

_Noreturn void kmain(void)
{
    tss_init();
    idt_init();
    __asm__ volatile("int3");
    __asm__ volatile("ud2");
    __asm__ volatile("int $13");
    __asm__ volatile("int $8");
    // A read far above the mapped GiB.
    __asm__ volatile("lea 1f(%%rip), %%rbx\n"
                     "mov (%0), %%al\n"
                     "1:"
                     :
                     : "r"(1ul << 40)
                     : "rax", "rbx", "memory");
    print("done\n");
    for (;;)
        outb(ISA_DEBUG_EXIT, 0);
}
