// Fuzzes the readers of ACPI tables: the input is an RSDP, then physical memory from MEMORY_START.
// Mutated tables get their checksums mended, mostly: else hardly one would be read.
#include "devices/acpi.c"

#include "devices/madt.h"
#include "devices/sleep.h"
#include "lib/minimum.h"
#include "tests/fuzz/kernel.h"

#define MENDED_OF 8 // of so many inputs all but one are mended

#define TEST_RAM_BASE    (4ul << 20)
#define TEST_RAM_SIZE    (64ul << 20)
#define TEST_APIC_ID_MAX 0xFFFFFFFEu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);

static void mend(uint8_t *bytes, size_t size, uint8_t *checksum)
{
    *checksum = 0;
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    *checksum = (uint8_t)-sum;
}

/// Whether a table that the kernel knows may begin @at. Not by memcmp(), which is watched, and
/// slow.
static bool is_table(const uint8_t *at)
{
    static const char signatures[][5] = {"RSDT", "XSDT", "FACP", "APIC", "DSDT"};
    for (size_t i = 0; i < sizeof(signatures) / sizeof(*signatures); i++)
        if (at[0] == signatures[i][0] && at[1] == signatures[i][1] && at[2] == signatures[i][2] &&
            at[3] == signatures[i][3])
            return true;
    return false;
}

static void mend_tables(uint8_t *data, size_t size)
{
    struct acpi_header header;
    for (size_t at = sizeof(struct acpi_rsdp); at + sizeof(header) <= size; at++) {
        if (!is_table(data + at))
            continue;
        memcpy(&header, data + at, sizeof(header));
        if (header.length >= sizeof(header) && header.length <= size - at)
            mend(data + at, header.length, data + at + offsetof(struct acpi_header, checksum));
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, limit);
    if (seed % MENDED_OF == 0 || size < sizeof(struct acpi_rsdp))
        return size;
    mend_tables(data, size);
    mend(data, RSDP_REVISION_1_SIZE, data + offsetof(struct acpi_rsdp, checksum));
    mend(data, sizeof(struct acpi_rsdp), data + offsetof(struct acpi_rsdp, extended_checksum));
    return size;
}

static void check_madt(const struct acpi_header *table)
{
    struct madt madt;
    const char *flaw = madt_read(table, TEST_APIC_ID_MAX, &madt);
    if (flaw) {
        print("MADT: %s\n", flaw);
        return;
    }
    always(madt.io_apic_count > 0 && madt.io_apic_count <= IO_APIC_MAX, "there are I/O APICs");
    always(madt.cpu_count <= CPU_LIMIT, "there is room for the CPUs");
    print("CPUs left out: %lu\n", madt.cpus_left_out);
    for (size_t i = 0; i < madt.cpu_count; i++)
        print("CPU %u\n", madt.apic_ids[i]);
    always(madt.local_apic % 4096 == 0, "the local APIC is aligned");
    always(!bootinfo_is_ram(madt.local_apic, 4096), "the local APIC is not RAM");
}

static void read_tables(void)
{
    uint8_t type_a, type_b;
    acpi_init();
    always(acpi_fadt() == NULL || acpi_table("FACP") != NULL, "a FADT is a copy of a table");
    if (acpi_table("APIC"))
        check_madt(acpi_table("APIC"));
    if (acpi_table("DSDT") && sleep_types(acpi_table("DSDT"), &type_a, &type_b))
        print("S5: %u %u\n", type_a, type_b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    table_count = 0;
    memset(&fadt, 0, sizeof(fadt));
    bootinfo.available[0] = (struct memory_range){TEST_RAM_BASE, TEST_RAM_SIZE};
    bootinfo.available_count = 1;
    bootinfo.rsdp_size = minimum(size, sizeof(bootinfo.rsdp));
    memcpy(bootinfo.rsdp, data, bootinfo.rsdp_size);
    memory_is(data + bootinfo.rsdp_size, size - bootinfo.rsdp_size);
    run(read_tables);
    return 0;
}
