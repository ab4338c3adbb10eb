// What the boot loader told, copied out of its memory before that memory is unmapped.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/multiboot2.h"

/// What start.asm maps where it is, for boot_main() alone.
#define BOOT_IDENTITY_END (1ul << 32)

/// No CPU addresses more memory: SDM vol. 3, 4.1.4.
#define PHYSICAL_END (1ul << 52)

/// GRUB takes up to 8,191 bytes in a line of its configuration, and may put a backslash before each
/// character that it passes on.
#define COMMAND_LINE_SIZE 16384

struct memory_range {
    uint64_t base, length;
};

struct bootinfo {
    char command_line[COMMAND_LINE_SIZE];
    bool is_command_line_cut;          ///< the loader's is longer
    struct memory_range available[64]; ///< usable RAM, as the loader lists it
    size_t available_count;
    bool has_framebuffer;
    struct multiboot_tag_framebuffer framebuffer;
    uint8_t rsdp[36];        ///< ACPI 6.4, 5.2.5.3; the first 20 bytes alone if rsdp_size is 20
    size_t rsdp_size;        ///< 0 if the loader gave none
    uint64_t symtab, strtab; ///< physical addresses of the ELF symbols and their names
    size_t symtab_size, strtab_size;
    const char *refusals[8]; ///< what could not be used, and why
    size_t refusal_count;
};

extern struct bootinfo bootinfo;

/// Fill `bootinfo` from the information at @physical. Nothing at @end or behind it is read. What
/// does not fit is left out, and bootinfo_report() tells of it.
void bootinfo_init(uint64_t physical, uint64_t end);

/// Print what bootinfo_init() had to leave out.
void bootinfo_report(void);

/// Whether the boot loader lists any of the @length bytes at @physical as RAM.
bool bootinfo_is_ram(uint64_t physical, uint64_t length);

/// The value of NAME=VALUE or NAME="VALUE" on the kernel command line, copied into @value of
/// COMMAND_LINE_SIZE bytes. Returns false if the command line does not name @name.
bool bootinfo_option(const char *name, char *value);
