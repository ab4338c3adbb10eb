// What a Multiboot2 loader hands over: Multiboot2 Specification 2.0, section 3.6. Only the tags
// that the kernel reads.
#pragma once

#include <stdint.h>

#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36D76289

enum multiboot_tag_type {
    MULTIBOOT_TAG_END = 0,
    MULTIBOOT_TAG_CMDLINE = 1,
    MULTIBOOT_TAG_MMAP = 6,
    MULTIBOOT_TAG_FRAMEBUFFER = 8,
    MULTIBOOT_TAG_ELF_SECTIONS = 9,
    MULTIBOOT_TAG_ACPI_OLD = 14,
    MULTIBOOT_TAG_ACPI_NEW = 15,
};

/// The fixed part of the boot information; tags follow, each aligned to 8 bytes.
struct multiboot_info {
    uint32_t total_size, reserved;
};

struct multiboot_tag {
    uint32_t type, size;
};

struct multiboot_tag_string {
    struct multiboot_tag tag;
    char string[];
};

#define MULTIBOOT_MEMORY_AVAILABLE 1

struct multiboot_mmap_entry {
    uint64_t base, length;
    uint32_t type, reserved;
};

struct multiboot_tag_mmap {
    struct multiboot_tag tag;
    uint32_t entry_size, entry_version;
    struct multiboot_mmap_entry entries[];
};

#define MULTIBOOT_FRAMEBUFFER_RGB      1
#define MULTIBOOT_FRAMEBUFFER_EGA_TEXT 2

struct multiboot_tag_framebuffer {
    struct multiboot_tag tag;
    uint64_t address;
    uint32_t pitch, width, height; ///< bytes; then pixels, or characters for EGA text
    uint8_t bits_per_pixel, type;
    uint16_t reserved;
    uint8_t red_position, red_size;
    uint8_t green_position, green_size;
    uint8_t blue_position, blue_size;
};

struct multiboot_tag_elf_sections {
    struct multiboot_tag tag;
    uint32_t count, entry_size, shndx;
    char headers[];
};

struct multiboot_tag_acpi {
    struct multiboot_tag tag;
    char rsdp[]; ///< a copy of the RSDP
};
