// Reads the MADT, and touches no controller. Nothing in the table is trusted to fit.
#include "devices/madt.h"

#include <stdbool.h>

#include "boot/bootinfo.h"
#include "lib/string.h"

/// ACPI 6.4, table 5-43.
struct acpi_madt {
    struct acpi_header header;
    uint32_t local_apic_address, flags;
} __attribute__((packed));

enum madt_type {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_INTERRUPT_SOURCE_OVERRIDE = 2,
    MADT_LOCAL_APIC_ADDRESS_OVERRIDE = 5,
    MADT_LOCAL_X2APIC = 9,
};

struct madt_entry {
    uint8_t type, length;
} __attribute__((packed));

/// ACPI 6.4, 5.2.12.2.
struct entry_local_apic {
    struct madt_entry entry;
    uint8_t processor, id;
    uint32_t flags;
} __attribute__((packed));

/// ACPI 6.4, 5.2.12.12.
struct entry_local_x2apic {
    struct madt_entry entry;
    uint16_t reserved;
    uint32_t id, flags;
} __attribute__((packed));

#define LOCAL_APIC_ENABLED (1u << 0) // ACPI 6.4, table 5-47

/// ACPI 6.4, 5.2.12.3.
struct entry_io_apic {
    struct madt_entry entry;
    uint8_t id, reserved;
    uint32_t address, gsi_base;
} __attribute__((packed));

/// ACPI 6.4, 5.2.12.5.
struct entry_source_override {
    struct madt_entry entry;
    uint8_t bus, source;
    uint32_t gsi;
    uint16_t flags;
} __attribute__((packed));

/// ACPI 6.4, 5.2.12.8.
struct entry_address_override {
    struct madt_entry entry;
    uint16_t reserved;
    uint64_t address;
} __attribute__((packed));

static const char too_short[] = "an entry is shorter than its type";

/// Whether registers of @size bytes can be at @address: aligned, and not in RAM, which the kernel
/// would then overwrite.
static bool may_be_device(uint64_t address, uint64_t size)
{
    return address != 0 && address % size == 0 && address < PHYSICAL_END &&
           !bootinfo_is_ram(address, size);
}

static bool is_listed(const struct madt *madt, uint32_t id)
{
    for (size_t i = 0; i < madt->cpu_count; i++)
        if (madt->apic_ids[i] == id)
            return true;
    return false;
}

/// A CPU that is listed twice must not be started twice.
static void add_cpu(struct madt *madt, uint32_t id, uint32_t flags)
{
    if (!(flags & LOCAL_APIC_ENABLED) || is_listed(madt, id))
        return;
    if (madt->cpu_count == CPU_LIMIT || id > madt->apic_id_max)
        madt->cpus_left_out++;
    else
        madt->apic_ids[madt->cpu_count++] = id;
}

static const char *read_local_apic(const struct entry_local_apic *entry, struct madt *madt)
{
    if (entry->entry.length < sizeof(*entry))
        return too_short;
    add_cpu(madt, entry->id, entry->flags);
    return NULL;
}

static const char *read_local_x2apic(const struct entry_local_x2apic *entry, struct madt *madt)
{
    if (entry->entry.length < sizeof(*entry))
        return too_short;
    add_cpu(madt, entry->id, entry->flags);
    return NULL;
}

static const char *read_io_apic(const struct entry_io_apic *entry, struct madt *madt)
{
    if (entry->entry.length < sizeof(*entry))
        return too_short;
    if (madt->io_apic_count == IO_APIC_MAX)
        return NULL; // the ISA interrupts enter through the first ones
    if (!may_be_device(entry->address, IO_APIC_SIZE))
        return "an I/O APIC's address is not aligned, or lies in RAM";
    madt->io_apics[madt->io_apic_count++] =
        (struct madt_io_apic){.address = entry->address, .gsi_base = entry->gsi_base};
    return NULL;
}

static const char *read_source_override(const struct entry_source_override *entry,
                                        struct madt *madt)
{
    if (entry->entry.length < sizeof(*entry))
        return too_short;
    if (entry->source < ISA_IRQ_COUNT)
        madt->isa_interrupts[entry->source] =
            (struct isa_interrupt){.gsi = entry->gsi, .flags = entry->flags};
    return NULL;
}

static const char *read_address_override(const struct entry_address_override *entry,
                                         struct madt *madt)
{
    if (entry->entry.length < sizeof(*entry))
        return too_short;
    madt->local_apic = entry->address;
    return NULL;
}

static const char *read_entry(const struct madt_entry *entry, struct madt *madt)
{
    switch (entry->type) {
    case MADT_LOCAL_APIC:
        return read_local_apic((const void *)entry, madt);
    case MADT_LOCAL_X2APIC:
        return read_local_x2apic((const void *)entry, madt);
    case MADT_IO_APIC:
        return read_io_apic((const void *)entry, madt);
    case MADT_INTERRUPT_SOURCE_OVERRIDE:
        return read_source_override((const void *)entry, madt);
    case MADT_LOCAL_APIC_ADDRESS_OVERRIDE:
        return read_address_override((const void *)entry, madt);
    }
    return NULL;
}

static const char *read_entries(const char *at, const char *end, struct madt *madt)
{
    while (at < end) {
        const struct madt_entry *entry = (const void *)at;
        if (end - at < (ptrdiff_t)sizeof(*entry) || entry->length < sizeof(*entry) ||
            entry->length > end - at)
            return "an entry does not fit in it";
        const char *flaw = read_entry(entry, madt);
        if (flaw)
            return flaw;
        at += entry->length;
    }
    return NULL;
}

const char *madt_read(const struct acpi_header *table, uint32_t apic_id_max, struct madt *madt)
{
    const struct acpi_madt *head = (const void *)table;
    if (table->length < sizeof(*head))
        return "it is shorter than its own header";
    *madt = (struct madt){.local_apic = head->local_apic_address, .apic_id_max = apic_id_max};
    for (uint32_t irq = 0; irq < ISA_IRQ_COUNT; irq++)
        madt->isa_interrupts[irq].gsi = irq;

    const char *flaw =
        read_entries((const char *)(head + 1), (const char *)table + table->length, madt);
    if (flaw)
        return flaw;
    if (madt->io_apic_count == 0)
        return "it lists no I/O APIC";
    if (!may_be_device(madt->local_apic, LOCAL_APIC_SIZE))
        return "the local APIC's address is not aligned, or lies in RAM";
    return NULL;
}
