// INIT, startup IPI, startup IPI: SDM vol. 3, 8.4.4.1. What the CPU then does is in boot/ap.asm, up
// to ap_main().
#include "devices/ap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/memory.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/call.h"
#include "devices/lapic.h"
#include "devices/madt.h"
#include "devices/shootdown.h"
#include "devices/timer.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "trap/gdt.h"
#include "trap/idt.h"
#include "trap/stacks.h"
#include "trap/tables.h"

#define START_TICKS (2 * TIMER_HZ) // generous: an emulator on a busy host may let a CPU wait

// boot/ap.asm
extern const char ap_trampoline[];
extern const char ap_trampoline_end[] __asm__("ap_trampoline.end");

// For boot/ap.asm, ahead of the kernel's page tables and stack. The stack is taken by the CPU that
// first asks for one, and withdrawn again when none has come in time: no other can meet a region in
// use.
uint64_t ap_cr3;
_Atomic(uint64_t) ap_rsp;

/// Where an AP arrives in C, on the kernel stack of its own region.
_Noreturn void ap_main(void);

_Noreturn void ap_main(void)
{
    gdt_init();
    idt_load();
    cpu_init();
    apic_init_local();
    this_cpu()->apic_id = apic_id();
    tables_close();
    this_cpu()->is_up = true;
    for (;;)
        call_take();
}

static void wait_ticks(uint64_t count)
{
    for (uint64_t start = timer_ticks(); timer_ticks() - start < count;)
        hlt();
}

static bool comes_up(const struct cpu *cpu, uint64_t ticks)
{
    for (uint64_t tick = 0; tick < ticks && !cpu->is_up; tick++)
        wait_ticks(1);
    return cpu->is_up;
}

static void send(uint32_t id, uint32_t command)
{
    cli();
    apic_send(id, command);
    sti();
}

/// Start the CPU whose APIC has @id at @page, as @cpu.
static bool start(struct cpu *cpu, uint32_t id, uint64_t page)
{
    cpu->is_up = false;
    ap_rsp = cpu_address(cpu, KERNEL_STACK_HIGH);
    send(id, ICR_INIT);
    wait_ticks(2); // 10 ms at least
    for (unsigned try = 0; try < 2; try++) {
        send(id, ICR_STARTUP | (uint32_t)(page / PAGE_SIZE));
        if (comes_up(cpu, try == 0 ? 2 : START_TICKS))
            return true;
    }
    if (atomic_exchange(&ap_rsp, 0) != 0)
        return false;
    if (!comes_up(cpu, START_TICKS)) // it is on its way
        panic("The CPU with APIC ID %u has a stack, and does not come up", id);
    return true;
}

/// Start the CPUs of @madt at @page. Their regions follow each other, whichever do not start.
static void start_listed(const struct madt *madt, uint64_t page)
{
    unsigned mapped = 1;
    for (size_t i = 0; i < madt->cpu_count; i++) {
        uint32_t id = madt->apic_ids[i];
        if (id == cpu_at(0)->apic_id)
            continue;
        if (cpu_count == CPU_LIMIT) { // the list is as long, and without the CPU that has booted
            print("The CPU with APIC ID %u is not used.\n", id);
            return;
        }
        if (mapped == cpu_count)
            paging_map_cpu(mapped++);
        struct cpu *cpu = cpu_at(cpu_count);
        if (!start(cpu, id, page)) {
            print("The CPU with APIC ID %u does not start, and is not used.\n", id);
            continue;
        }
        cpu_count++;
        if (cpu->apic_id != id)
            print("The CPU with APIC ID %u is late, and used in the place of %u.\n", cpu->apic_id,
                  id);
    }
}

void ap_start_all(void)
{
    const struct madt *madt = apic_madt();
    cpu_at(0)->apic_id = apic_id();
    if (madt->cpus_left_out)
        print("CPUs that are not used: %lu. The kernel takes %lu, with APIC IDs up to %u.\n",
              madt->cpus_left_out, (size_t)CPU_LIMIT, madt->apic_id_max);
    if (madt->cpu_count <= 1)
        return;
    uint64_t page = memory_low_page();
    void *copy = page ? paging_map_physical(page, PAGE_SIZE, false) : NULL;
    if (!copy) {
        print("There is no RAM below 640 KiB for the other CPUs to start in; they are not used.\n");
        return;
    }
    memcpy(copy, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    ap_cr3 = read_cr3();
    call_init();
    shootdown_init();
    start_listed(madt, page);
}
