// Finds the ACPI tables: the RSDP leads to the RSDT or XSDT, which lists all others but the DSDT,
// to which the FADT points. ACPI 6.4, 5.2.
#include "devices/acpi.h"

#include <stdbool.h>

#include "boot/bootinfo.h"
#include "cpu/paging.h"
#include "lib/minimum.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"

/// Root System Description Pointer: ACPI 6.4, 5.2.5.3.
struct acpi_rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt_address;
    uint32_t length; // from here on since revision 2 only
    uint64_t xsdt_address;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

#define RSDP_REVISION_1_SIZE offsetof(struct acpi_rsdp, length)

_Static_assert(sizeof(struct acpi_rsdp) == sizeof(bootinfo.rsdp), "ACPI 6.4, table 5-27");

// A damaged length must not use up the address space that devices are mapped in.
#define TABLE_SIZE_MAX (1u << 20)

#define LISTED_MAX      64
#define TABLE_COUNT_MAX (LISTED_MAX + 1) // with the DSDT

static const struct acpi_header *tables[TABLE_COUNT_MAX];
static size_t table_count;
static struct acpi_fadt fadt;

static bool checksum_good(const void *table, size_t length)
{
    const uint8_t *bytes = table;
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    return sum == 0;
}

static const struct acpi_header *refuse(uint64_t physical, const char *reason)
{
    print("ACPI: the table at 0x%lx is not used: %s.\n", physical, reason);
    return NULL;
}

static const struct acpi_header *map_table(uint64_t physical)
{
    const struct acpi_header *header = paging_map_physical(physical, sizeof(*header), false);
    if (!header)
        return refuse(physical, "this CPU has no such address");
    uint32_t length = header->length;
    if (length < sizeof(*header) || length > TABLE_SIZE_MAX)
        return refuse(physical, "its length is below 36 bytes or above 1 MiB");
    const struct acpi_header *table = paging_map_physical(physical, length, false);
    if (!table)
        return refuse(physical, "there is no room to map it");
    return checksum_good(table, length) ? table : refuse(physical, "its checksum is wrong");
}

/// A null pointer stands for a table that the machine does not have.
static void add_table(uint64_t physical)
{
    const struct acpi_header *table = physical ? map_table(physical) : NULL;
    if (table && table_count < TABLE_COUNT_MAX)
        tables[table_count++] = table;
}

/// The XSDT, or the RSDT where firmware has no XSDT; @entry_size tells how wide its pointers are.
static const struct acpi_header *map_root_table(size_t *entry_size)
{
    const struct acpi_rsdp *rsdp = (const void *)bootinfo.rsdp;
    if (bootinfo.rsdp_size < RSDP_REVISION_1_SIZE ||
        memcmp(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature)) != 0 ||
        !checksum_good(rsdp, RSDP_REVISION_1_SIZE))
        panic("This machine offers no ACPI tables; the interrupt controllers cannot be found");

    bool has_xsdt = bootinfo.rsdp_size == sizeof(*rsdp) && rsdp->revision >= 2 &&
                    checksum_good(rsdp, sizeof(*rsdp)) && rsdp->xsdt_address != 0;
    *entry_size = has_xsdt ? sizeof(rsdp->xsdt_address) : sizeof(rsdp->rsdt_address);
    const struct acpi_header *root = map_table(has_xsdt ? rsdp->xsdt_address : rsdp->rsdt_address);
    if (!root || memcmp(root->signature, has_xsdt ? "XSDT" : "RSDT", sizeof(root->signature)) != 0)
        panic("The ACPI root table is damaged; the interrupt controllers cannot be found");
    return root;
}

static void add_listed_tables(void)
{
    size_t entry_size;
    const struct acpi_header *root = map_root_table(&entry_size);
    size_t count = (root->length - sizeof(*root)) / entry_size;
    if (count > LISTED_MAX) {
        print("ACPI: of %lu tables the first %u are used.\n", count, LISTED_MAX);
        count = LISTED_MAX;
    }
    const char *entry = (const char *)(root + 1);
    for (size_t i = 0; i < count; i++, entry += entry_size) {
        uint64_t physical = 0;
        memcpy(&physical, entry, entry_size);
        add_table(physical);
    }
}

/// The copy has every field that the kernel knows, however short the firmware's table is.
static void copy_fadt(void)
{
    const struct acpi_header *table = acpi_table("FACP");
    if (table)
        memcpy(&fadt, table, minimum(table->length, sizeof(fadt)));
}

void acpi_init(void)
{
    add_listed_tables();
    copy_fadt();
    add_table(fadt.x_dsdt ? fadt.x_dsdt : fadt.dsdt);
}

const struct acpi_header *acpi_table(const char *signature)
{
    for (size_t i = 0; i < table_count; i++)
        if (memcmp(tables[i]->signature, signature, sizeof(tables[i]->signature)) == 0)
            return tables[i];
    return NULL;
}

const struct acpi_fadt *acpi_fadt(void)
{
    return fadt.header.length ? &fadt : NULL;
}
