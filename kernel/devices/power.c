// The ways to end: emulator ports and ACPI S5 to switch off; the ACPI reset register, the 8042
// and a triple fault to reset. Each is tried in turn, since none tells whether it is there.
#include "devices/power.h"

#include <stdbool.h>

#include "cpu/paging.h"
#include "cpu/x86.h"
#include "devices/acpi.h"
#include "devices/sleep.h"
#include "lib/print.h"

#define QEMU_ISA_DEBUG_EXIT 0xF4
#define BOCHS_SHUTDOWN      0x8900 // Bochs user manual: port of the BIOS's APM power-off

// PM1 control register: ACPI 6.4, table 4-16.
#define PM1_CNT_SCI_EN          (1u << 0)
#define PM1_CNT_SLP_TYP(number) (((number)&7u) << 10)
#define PM1_CNT_SLP_EN          (1u << 13)

// IBM PC AT Technical Reference, "8042 Keyboard Controller".
#define I8042_COMMAND           0x64
#define I8042_STATUS_INPUT_FULL (1u << 1)
#define I8042_PULSE_RESET       0xFE

#define POST_CODE_PORT 0x80 // reading it has no effect but takes a microsecond

// In reads of a port: a second on a PC.
#define POLL_LIMIT 1000000u

/// Give the hardware the time to obey before the next way is tried.
static void wait(void)
{
    for (unsigned poll = 0; poll < POLL_LIMIT; poll++)
        inb(POST_CODE_PORT);
}

/// Take the power hardware over from the firmware: ACPI 6.4, 4.8.2.5.
static void enable_acpi(const struct acpi_fadt *fadt)
{
    if (fadt->smi_cmd == 0 || inw(fadt->pm1a_cnt_blk) & PM1_CNT_SCI_EN)
        return;
    outb(fadt->smi_cmd, fadt->acpi_enable);
    for (unsigned poll = 0; poll < POLL_LIMIT; poll++)
        if (inw(fadt->pm1a_cnt_blk) & PM1_CNT_SCI_EN)
            return;
}

static void enter_sleep(uint32_t pm1_cnt_blk, uint8_t type)
{
    uint16_t kept = inw(pm1_cnt_blk) & ~(PM1_CNT_SLP_TYP(7u) | PM1_CNT_SLP_EN);
    outw(pm1_cnt_blk, kept | PM1_CNT_SLP_TYP(type) | PM1_CNT_SLP_EN);
}

static void off_by_acpi(void)
{
    const struct acpi_fadt *fadt = acpi_fadt();
    const struct acpi_header *dsdt = acpi_table("DSDT");
    uint8_t type_a, type_b;
    if (!fadt || !fadt->pm1a_cnt_blk || !dsdt || !sleep_types(dsdt, &type_a, &type_b))
        return;
    enable_acpi(fadt);
    enter_sleep(fadt->pm1a_cnt_blk, type_a);
    if (fadt->pm1b_cnt_blk)
        enter_sleep(fadt->pm1b_cnt_blk, type_b);
    wait();
}

static void off_by_bochs(void)
{
    for (const char *at = "Shutdown"; *at; at++)
        outb(BOCHS_SHUTDOWN, *at);
}

void power_off(unsigned status)
{
    cli();
    outb(QEMU_ISA_DEBUG_EXIT, status);
    off_by_bochs();
    off_by_acpi();
    print("This machine does not switch itself off. It may be switched off now.\n");
    for (;;)
        hlt();
}

/// ACPI 6.4, 4.8.3.6. A register in PCI configuration space is left to the 8042.
static void reset_by_acpi(void)
{
    const struct acpi_fadt *fadt = acpi_fadt();
    if (!fadt || !(fadt->flags & ACPI_FADT_RESET_REG_SUP))
        return;
    uint64_t address = fadt->reset_reg.address;
    if (fadt->reset_reg.space == ACPI_SPACE_IO)
        outb(address, fadt->reset_value);
    volatile uint8_t *mapped = NULL;
    if (fadt->reset_reg.space == ACPI_SPACE_MEMORY)
        mapped = paging_map_physical(address, 1, true);
    if (mapped)
        *mapped = fadt->reset_value;
    wait();
}

static void reset_by_8042(void)
{
    for (unsigned poll = 0; poll < POLL_LIMIT; poll++)
        if (!(inb(I8042_COMMAND) & I8042_STATUS_INPUT_FULL))
            break;
    outb(I8042_COMMAND, I8042_PULSE_RESET);
    wait();
}

/// With no gate for #UD, nor for the #GP and the #DF that follow, the CPU shuts down, which the
/// chipset answers with a reset: SDM vol. 3, 6.15, "Interrupt 8".
static _Noreturn void reset_by_triple_fault(void)
{
    lidt(&(struct descriptor_register){.limit = 0, .base = 0});
    __builtin_trap();
}

void power_reboot(void)
{
    cli();
    reset_by_acpi();
    reset_by_8042();
    reset_by_triple_fault();
}
