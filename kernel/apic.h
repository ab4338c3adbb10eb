// The local APIC and the I/O APICs, found through the ACPI MADT. SDM vol. 3, 10.4.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Registers by their offset in bytes: SDM vol. 3, table 10-1.
enum lapic_register {
    LAPIC_ID = 0x020,
    LAPIC_TPR = 0x080,
    LAPIC_EOI = 0x0B0,
    LAPIC_SVR = 0x0F0,
    LAPIC_ISR = 0x100, ///< the first of eight, 16 bytes apart
    LAPIC_ESR = 0x280,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL_COUNT = 0x380,
    LAPIC_TIMER_CURRENT_COUNT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3E0,
};

// Local vector table entries: SDM vol. 3, 10.5.1.
#define LVT_DELIVERY_NMI   (4u << 8)
#define LVT_MASKED         (1u << 16)
#define LVT_TIMER_PERIODIC (1u << 17)

/// Enable the local APIC (xAPIC mode) and mask every I/O APIC pin. Needs acpi_init().
void apic_init(void);

/// Signal the end of the interrupt in service: once per interrupt, never for a spurious one.
/// SDM vol. 3, 10.8.5.
void apic_eoi(void);

/// Route ISA interrupt @irq (0 to 15; MADT overrides honoured) to @vector and unmask it.
void apic_route(unsigned irq, unsigned vector);

/// Whether @vector is in service on this CPU, which is how an interrupt differs from INT n.
bool apic_in_service(unsigned vector);

/// Read and write a local APIC register by its @offset: see enum lapic_register.
uint32_t lapic_read(uint32_t offset);
void lapic_write(uint32_t offset, uint32_t value);
