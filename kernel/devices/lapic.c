// The one place that knows of the two modes: SDM vol. 3, 10.4 and 10.12.
#include "devices/lapic.h"

#include <stdbool.h>

#include "cpu/cpu.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "devices/madt.h"
#include "lib/panic.h"

// SDM vol. 3, figure 10-26.
#define APIC_BASE_EXTD    (1ul << 10)
#define APIC_BASE_EN      (1ul << 11)
#define APIC_BASE_ADDRESS 0x000FFFFFFFFFF000ul

#define X2APIC_ID_MAX 0xFFFFFFFEu // SDM vol. 3, 10.12.9

// The register at @offset: SDM vol. 3, 10.12.1.2.
#define X2APIC_MSR(offset) (0x800 + (offset) / 16)

// A local APIC that is switched off reads as all ones, and a panic must come past it.
#define SEND_POLLS 1000000

static volatile uint32_t *lapic; ///< null in x2APIC mode
static uint64_t physical;        ///< where that is, as the MADT says

static bool has_x2apic(void)
{
    return cpu_has(FEATURE_X2APIC);
}

uint32_t apic_id_max(void)
{
    return has_x2apic() ? X2APIC_ID_MAX : XAPIC_ID_MAX;
}

void lapic_init(uint64_t address)
{
    if (has_x2apic())
        return;
    physical = address;
    lapic = paging_map_physical(address, LOCAL_APIC_SIZE, true);
    if (!lapic)
        panic("The ACPI MADT has the local APIC at 0x%lx, an address that this CPU has not",
              address);
}

uint32_t lapic_read(uint32_t offset)
{
    return lapic ? lapic[offset / sizeof(*lapic)] : (uint32_t)rdmsr(X2APIC_MSR(offset));
}

void lapic_write(uint32_t offset, uint32_t value)
{
    if (lapic)
        lapic[offset / sizeof(*lapic)] = value;
    else
        wrmsr(X2APIC_MSR(offset), value);
}

uint64_t apic_base(void)
{
    return rdmsr(IA32_APIC_BASE);
}

static void write_base(uint64_t base)
{
    wrmsr(IA32_APIC_BASE, base);
    if (base & APIC_BASE_EN && !(apic_base() & APIC_BASE_EN))
        panic("The local APIC is off and cannot be switched on before the next reset");
}

void apic_set_base(uint64_t base)
{
    uint64_t before = apic_base();
    // The way from "disabled" to x2APIC mode leads through xAPIC mode alone.
    if (base & APIC_BASE_EXTD && !(before & APIC_BASE_EN))
        write_base(base & ~APIC_BASE_EXTD);
    if (before != base)
        write_base(base);
}

const char *lapic_mode(void)
{
    return apic_base() & APIC_BASE_EXTD ? "x2APIC" : "xAPIC";
}

void lapic_enable(void)
{
    uint64_t base = apic_base() | APIC_BASE_EN;
    if (has_x2apic())
        apic_set_base(base | APIC_BASE_EXTD);
    else
        apic_set_base((base & ~APIC_BASE_ADDRESS) | physical);
}

uint32_t apic_id(void)
{
    return lapic ? lapic_read(LAPIC_ID) >> 24 : lapic_read(LAPIC_ID);
}

static void send_xapic(uint32_t id, uint32_t command)
{
    lapic_write(LAPIC_ICR_HIGH, id << 24);
    lapic_write(LAPIC_ICR, command);
    for (unsigned polls = 0; lapic_read(LAPIC_ICR) & ICR_PENDING && polls < SEND_POLLS; polls++)
        pause();
}

/// What the destination is to read was written before, and must be seen before: this WRMSR does not
/// wait for it. SDM vol. 3, 10.12.3.
static void send_x2apic(uint32_t id, uint32_t command)
{
    fence();
    wrmsr(X2APIC_MSR(LAPIC_ICR), (uint64_t)id << 32 | command);
}

void apic_send(uint32_t id, uint32_t command)
{
    if (lapic)
        send_xapic(id, command | ICR_ASSERT);
    else
        send_x2apic(id, command | ICR_ASSERT);
}
