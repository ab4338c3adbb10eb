// Fuzzes boot/bootinfo.c: the input is the Multiboot2 information.
#include "boot/bootinfo.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t information, end;

static void check_ranges(void)
{
    for (size_t i = 0; i < bootinfo.available_count; i++) {
        struct memory_range range = bootinfo.available[i];
        always(range.base + range.length <= PHYSICAL_END, "RAM is where a CPU reaches");
    }
}

static void check_screen(void)
{
    const struct multiboot_tag_framebuffer *mode = &bootinfo.framebuffer;
    if (!bootinfo.has_framebuffer)
        return;
    always(mode->width > 0 && mode->height > 0, "a screen has a size");
    always(!bootinfo_is_ram(mode->address, (uint64_t)mode->pitch * mode->height),
           "the screen is not RAM");
}

static void read_information(void)
{
    static char value[COMMAND_LINE_SIZE];
    memset(&bootinfo, 0, sizeof(bootinfo));
    bootinfo_init(information, end);
    bootinfo_report();
    check_ranges();
    check_screen();
    always(bootinfo.symtab + bootinfo.symtab_size <= BOOT_IDENTITY_END, "symbols are loaded low");
    always(bootinfo.strtab + bootinfo.strtab_size <= BOOT_IDENTITY_END, "names are loaded low");
    if (bootinfo_option("run", value))
        always(strlen(value) < sizeof(value), "an option's value ends");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size); // aligned, and not a byte more
    memcpy(copy, data, size);
    information = (uint64_t)copy;
    end = information + size;
    run(read_information);
    free(copy);
    return 0;
}
