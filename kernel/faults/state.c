// Saving the machine's state and restoring it.
#include "faults/state.h"

#include <stddef.h>

#include "cpu/cpu.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/lapic.h"
#include "devices/pic.h"
#include "devices/shootdown.h"
#include "trap/entry.h"
#include "trap/gdt.h"
#include "trap/idt.h"
#include "trap/stacks.h"

// The pages of fault_pages.def and the unmapped ones behind them, by address.
static const uint64_t fault_pages[] = {
#define NOTE(text)
#define FAULT_PAGE(name, address, access) address, address + PAGE_SIZE,
#include "faults/fault_pages.def"
#undef FAULT_PAGE
#undef NOTE
};

#define FAULT_PAGE_COUNT (sizeof(fault_pages) / sizeof(fault_pages[0]))

// tests/faults/tables.inc finds the TSS there.
_Static_assert(offsetof(struct cpu, tss) == 0, "CPU_BASE is the address of the TSS");

// Of the local APIC. SVR comes first: while the APIC is off, no mask bit can be cleared.
static const uint32_t lapic_registers[] = {LAPIC_SVR, LAPIC_LVT_LINT0, LAPIC_TIMER_DIVIDE,
                                           LAPIC_TIMER_INITIAL_COUNT};

#define LAPIC_REGISTER_COUNT (sizeof(lapic_registers) / sizeof(lapic_registers[0]))

/// State that an entry may change and that cannot be built anew.
static struct {
    uint64_t pages[FAULT_PAGE_COUNT];
    uint64_t cr0, cr4, xcr0, efer, u_cet, s_cet, apic_base;
    uint32_t lapic[LAPIC_REGISTER_COUNT], lvt_timer, lvt_lint1;
} kept;

bool state_is_guest;

/// Map the fault pages. Each has a gap behind it.
static void map_fault_pages(void)
{
#define NOTE(text)
#define PTE_RESERVED                      paging_reserved_bit()
#define FAULT_PAGE(name, address, access) paging_map_new(address, PAGE_SIZE, access);
#include "faults/fault_pages.def"
#undef FAULT_PAGE
#undef PTE_RESERVED
#undef NOTE
}

void state_init(void)
{
    map_fault_pages();
    uint64_t vm_cr; // Bochs 2.7 has none
    if (cpu_has(FEATURE_SVM) && peek_msr(VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS)
        cpu_forget(FEATURE_SVM);
}

static bool has_cet(void)
{
    return cpu_has(FEATURE_CET_IBT) || cpu_has(FEATURE_CET_SS);
}

void state_save(void)
{
    kept.cr0 = read_cr0();
    kept.cr4 = read_cr4();
    kept.efer = rdmsr(IA32_EFER);
    kept.apic_base = apic_base();
    for (size_t i = 0; i < LAPIC_REGISTER_COUNT; i++)
        kept.lapic[i] = lapic_read(lapic_registers[i]);
    kept.lvt_timer = lapic_read(LAPIC_LVT_TIMER);
    kept.lvt_lint1 = lapic_read(LAPIC_LVT_LINT1);
    kept.xcr0 = cpu_has(FEATURE_XSAVE) ? xgetbv(0) : 0;
    kept.u_cet = has_cet() ? rdmsr(IA32_U_CET) : 0;
    kept.s_cet = has_cet() ? rdmsr(IA32_S_CET) : 0;
    for (size_t i = 0; i < FAULT_PAGE_COUNT; i++)
        kept.pages[i] = *paging_entry((const void *)fault_pages[i]);
}

void state_restore_cet(void)
{
    if (!has_cet())
        return;
    wrmsr(IA32_U_CET, kept.u_cet);
    wrmsr(IA32_S_CET, kept.s_cet);
}

static void restore_registers(void)
{
    write_dr7(DR7_INIT);
    write_dr6(DR6_INIT);
    write_cr0(kept.cr0);
    write_cr4(kept.cr4);
    wrmsr(IA32_EFER, kept.efer);
    if (cpu_has(FEATURE_XSAVE))
        xsetbv(0, kept.xcr0);
    cpu_init_floating_point();
    if (cpu_has(FEATURE_PKU))
        wrpkru(0);
    state_restore_cet();
}

static void forget_pages(void)
{
    for (size_t i = 0; i < FAULT_PAGE_COUNT; i++)
        invlpg((const void *)fault_pages[i]);
}

static void restore_pages(void)
{
    for (size_t i = 0; i < FAULT_PAGE_COUNT; i++)
        *paging_entry((const void *)fault_pages[i]) = kept.pages[i];
    forget_pages();
}

/// Take every interrupt that is pending.
static void take_pending(void)
{
    for (uint32_t offset = LAPIC_IRR; offset < LAPIC_IRR + 8 * 16; offset += 16) {
        while (lapic_read(offset)) {
            sti_hlt();
            cli();
        }
    }
}

void state_mask_timer(void)
{
    lapic_write(LAPIC_LVT_TIMER, lapic_read(LAPIC_LVT_TIMER) | LVT_MASKED);
    take_pending();
}

void state_mask_nmi(void)
{
    lapic_write(LAPIC_LVT_LINT1, kept.lvt_lint1 | LVT_MASKED);
}

void state_unmask_nmi(void)
{
    lapic_write(LAPIC_LVT_LINT1, kept.lvt_lint1);
}

/// A write to the timer's initial count starts it anew: so only what differs is written.
static void restore_lapic(void)
{
    apic_set_base(kept.apic_base);
    for (size_t i = 0; i < LAPIC_REGISTER_COUNT; i++)
        if (lapic_read(lapic_registers[i]) != kept.lapic[i])
            lapic_write(lapic_registers[i], kept.lapic[i]);
    lapic_write(LAPIC_TPR, 0);
}

/// What an entry leaves pending is its fault, and must not reach the kernel's handlers.
static void restore_interrupts(void)
{
    pic_silence();
    restore_lapic();
    apic_eoi_all();
    take_pending();
    lapic_write(LAPIC_LVT_TIMER, kept.lvt_timer);
}

/// An entry that was abandoned as a guest leaves its end to us.
static void leave_guest(void)
{
    if (state_is_guest)
        vmmcall();
}

void state_restore(void)
{
    leave_guest();
    restore_registers();
    restore_pages();
    gdt_init();
    idt_init();
    restore_interrupts();
}

static void forget_all(void)
{
    write_cr3(read_cr3());
}

void state_share_pages(void)
{
    if (cpu_count > 1)
        shootdown(forget_all);
}
