// Where the interrupt controllers are and how the ISA interrupts reach them, as the Multiple APIC
// Description Table says: ACPI 6.4, 5.2.12.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "devices/acpi.h"
#include "trap/stacks.h"

#define ISA_IRQ_COUNT 16
#define IO_APIC_MAX   8

// Bytes of registers: SDM vol. 3, 10.4.1; 82093AA datasheet, 3.1.
#define LOCAL_APIC_SIZE 4096
#define IO_APIC_SIZE    0x20

/// An I/O APIC, whose pin 0 is global system interrupt @gsi_base.
struct madt_io_apic {
    uint64_t address; ///< physical
    uint32_t gsi_base;
};

/// Where an ISA interrupt enters the I/O APICs, as a global system interrupt and INTI flags.
struct isa_interrupt {
    uint32_t gsi;
    uint16_t flags;
};

struct madt {
    uint64_t local_apic; ///< physical
    struct madt_io_apic io_apics[IO_APIC_MAX];
    size_t io_apic_count;
    struct isa_interrupt isa_interrupts[ISA_IRQ_COUNT];
    uint32_t apic_ids[CPU_LIMIT]; ///< of the CPUs that may be used
    size_t cpu_count;
    size_t cpus_left_out; ///< there is no room for them, or their ID is above the next
    uint32_t apic_id_max;
};

/// Read @table into @madt. CPUs with APIC IDs up to @apic_id_max may be used. Returns null, or what
/// is wrong with the table.
const char *madt_read(const struct acpi_header *table, uint32_t apic_id_max, struct madt *madt);
