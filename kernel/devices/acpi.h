// The few ACPI tables that the kernel reads: MADT for the interrupt controllers, FADT and the
// \_S5_ package of the DSDT to switch the machine off. ACPI 6.4, chapter 5.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// ACPI 6.4, 5.2.6.
struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

/// Generic Address Structure: ACPI 6.4, 5.2.3.2.
struct acpi_address {
    uint8_t space, bit_width, bit_offset, access_size;
    uint64_t address;
} __attribute__((packed));

#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1

/// ACPI 6.4, 5.2.9, up to X_DSDT.
struct acpi_fadt {
    struct acpi_header header;
    uint32_t firmware_ctrl, dsdt;
    uint8_t reserved0, preferred_pm_profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
    uint32_t pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk;
    uint8_t reserved1[40];
    uint32_t flags;
    struct acpi_address reset_reg;
    uint8_t reset_value;
    uint8_t reserved2[3];
    uint64_t x_firmware_ctrl, x_dsdt;
} __attribute__((packed));

#define ACPI_FADT_RESET_REG_SUP (1u << 10)

_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "ACPI 6.4, table 5-33");
_Static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "ACPI 6.4, table 5-33");

/// Find the tables from bootinfo.rsdp. Panics in words if the firmware has none.
void acpi_init(void);

/// The mapped table with this four-letter @signature ("DSDT" too), or null. Checksums are verified.
const struct acpi_header *acpi_table(const char *signature);

/// The FADT, or null. Fields that its revision does not have read as 0.
const struct acpi_fadt *acpi_fadt(void);
