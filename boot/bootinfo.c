// Walks the tags of the Multiboot2 information and copies what the kernel needs. Nothing in it is
// trusted to fit: Multiboot2 Specification 2.0, section 3.6.
#include "boot/bootinfo.h"

#include "lib/minimum.h"
#include "lib/print.h"
#include "lib/string.h"

#define TAG_ALIGNMENT 8

// Beyond all screens that there are, and within what paging_map_physical() has room for.
#define SCREEN_SIDE_MAX   16384u
#define SCREEN_MEMORY_MAX (256ul << 20)
#define SYMBOLS_MAX       (16ul << 20)

#define SYMBOL_SIZE 24 // Elf64_Sym

/// A section header: System V ABI, "Sections".
struct elf64_shdr {
    uint32_t sh_name, sh_type;
    uint64_t sh_flags, sh_addr, sh_offset, sh_size;
    uint32_t sh_link, sh_info;
    uint64_t sh_addralign, sh_entsize;
};

#define SHT_SYMTAB 2
#define SHT_STRTAB 3
#define SHF_ALLOC  (1ul << 1)

struct bootinfo bootinfo;

/// Note @reason, once.
static void refuse(const char *reason)
{
    for (size_t i = 0; i < bootinfo.refusal_count; i++)
        if (bootinfo.refusals[i] == reason)
            return;
    if (bootinfo.refusal_count < sizeof(bootinfo.refusals) / sizeof(*bootinfo.refusals))
        bootinfo.refusals[bootinfo.refusal_count++] = reason;
}

static void copy_command_line(const struct multiboot_tag_string *tag)
{
    size_t size = tag->tag.size - sizeof(*tag); // with the zero at its end
    size_t length = minimum(size, sizeof(bootinfo.command_line) - 1);
    memcpy(bootinfo.command_line, tag->string, length);
    bootinfo.command_line[length] = '\0';
    bootinfo.is_command_line_cut = size > sizeof(bootinfo.command_line);
}

static void add_available(const struct multiboot_mmap_entry *entry)
{
    size_t capacity = sizeof(bootinfo.available) / sizeof(*bootinfo.available);
    if (entry->length > PHYSICAL_END || entry->base > PHYSICAL_END - entry->length)
        refuse("a range of RAM ends beyond the addresses of any CPU");
    else if (bootinfo.available_count == capacity)
        refuse("the memory map has more than 64 ranges of RAM; the rest is not used");
    else
        bootinfo.available[bootinfo.available_count++] =
            (struct memory_range){entry->base, entry->length};
}

static void copy_available(const struct multiboot_tag_mmap *tag)
{
    struct multiboot_mmap_entry entry;
    if (tag->tag.size < sizeof(*tag) || tag->entry_size < sizeof(entry)) {
        refuse("the memory map's header or its entries are too short");
        return;
    }
    for (uint64_t offset = sizeof(*tag); offset + sizeof(entry) <= tag->tag.size;
         offset += tag->entry_size) {
        memcpy(&entry, (const char *)tag + offset, sizeof(entry));
        if (entry.type == MULTIBOOT_MEMORY_AVAILABLE)
            add_available(&entry);
    }
}

/// A text mode's tag ends before the colour fields, which then read as 0.
static void copy_framebuffer(const struct multiboot_tag_framebuffer *tag)
{
    if (tag->tag.size < offsetof(struct multiboot_tag_framebuffer, reserved)) {
        refuse("the framebuffer's tag is too short; there is no screen");
        return;
    }
    memcpy(&bootinfo.framebuffer, tag, minimum(tag->tag.size, sizeof(*tag)));
    bootinfo.has_framebuffer = true;
}

static bool is_channel(uint8_t position, uint8_t size)
{
    return size > 0 && position + size <= 32;
}

/// What is wrong with the framebuffer's mode, or null.
static const char *screen_flaw(const struct multiboot_tag_framebuffer *mode)
{
    bool text = mode->type == MULTIBOOT_FRAMEBUFFER_EGA_TEXT;
    if (!text && mode->type != MULTIBOOT_FRAMEBUFFER_RGB)
        return "the framebuffer is neither RGB nor EGA text; there is no screen";
    if (!text && (mode->bits_per_pixel < 15 || mode->bits_per_pixel > 32))
        return "the framebuffer's pixels have less than 15 or more than 32 bits; there is no "
               "screen";
    if (mode->width - 1 >= SCREEN_SIDE_MAX || mode->height - 1 >= SCREEN_SIDE_MAX)
        return "the screen's width or height is 0 or above 16384; it is not used";
    if (mode->pitch < mode->width * (text ? 2 : (mode->bits_per_pixel + 7u) / 8))
        return "the screen's lines overlap; it is not used";
    uint64_t size = (uint64_t)mode->pitch * mode->height;
    if (size > SCREEN_MEMORY_MAX || mode->address > PHYSICAL_END - size)
        return "the screen's memory is above 256 MiB or beyond all addresses; it is not used";
    if (bootinfo_is_ram(mode->address, size))
        return "the screen's memory overlaps RAM; it is not used";
    if (!text && !(is_channel(mode->red_position, mode->red_size) &&
                   is_channel(mode->green_position, mode->green_size) &&
                   is_channel(mode->blue_position, mode->blue_size)))
        return "the framebuffer's colours do not fit in its pixels; there is no screen";
    return NULL;
}

/// The memory map may come behind the framebuffer: only now is it known where RAM is.
static void check_screen(void)
{
    const char *flaw = bootinfo.has_framebuffer ? screen_flaw(&bootinfo.framebuffer) : NULL;
    if (flaw) {
        refuse(flaw);
        bootinfo.has_framebuffer = false;
    }
}

static void copy_rsdp(const struct multiboot_tag_acpi *tag)
{
    size_t size = minimum(tag->tag.size - sizeof(*tag), sizeof(bootinfo.rsdp));
    // A loader may give both revisions: the later one has the 64-bit addresses and stays.
    if (size < bootinfo.rsdp_size)
        return;
    memcpy(bootinfo.rsdp, tag->rsdp, size);
    bootinfo.rsdp_size = size;
}

/// Section header @index, or false if the tag has none. The headers lie unaligned in the tag.
static bool section_header(const struct multiboot_tag_elf_sections *tag, size_t index,
                           struct elf64_shdr *header)
{
    if (index >= tag->count || tag->entry_size < sizeof(*header))
        return false;
    uint64_t offset = sizeof(*tag) + (uint64_t)index * tag->entry_size;
    if (offset + sizeof(*header) > tag->tag.size)
        return false;
    memcpy(header, (const char *)tag + offset, sizeof(*header));
    return true;
}

/// Whether the loader can have put all of @section where 32 bits reach.
static bool is_loaded(const struct elf64_shdr *section)
{
    return section->sh_size > 0 && section->sh_size <= SYMBOLS_MAX &&
           section->sh_addr <= BOOT_IDENTITY_END - section->sh_size;
}

static void take_symbols(const struct elf64_shdr *symtab, const struct elf64_shdr *strtab)
{
    if (symtab->sh_entsize != SYMBOL_SIZE || strtab->sh_type != SHT_STRTAB || !is_loaded(symtab) ||
        !is_loaded(strtab)) {
        refuse("the kernel's symbol table is damaged; addresses will have no names");
        return;
    }
    bootinfo.symtab = symtab->sh_addr;
    bootinfo.symtab_size = symtab->sh_size;
    bootinfo.strtab = strtab->sh_addr;
    bootinfo.strtab_size = strtab->sh_size;
}

/// Never read sh_addr of a section with SHF_ALLOC as a physical address: it is where the kernel
/// runs. The loader puts the other sections where it likes and writes that into their sh_addr.
static void read_sections(const struct multiboot_tag_elf_sections *tag)
{
    if (tag->tag.size < sizeof(*tag)) {
        refuse("the tag of the ELF sections is too short");
        return;
    }
    struct elf64_shdr header, strtab;
    for (size_t i = 0; section_header(tag, i, &header); i++) {
        if (header.sh_type == SHT_SYMTAB && !(header.sh_flags & SHF_ALLOC) &&
            section_header(tag, header.sh_link, &strtab))
            take_symbols(&header, &strtab);
    }
}

static void read_tag(const struct multiboot_tag *tag)
{
    switch (tag->type) {
    case MULTIBOOT_TAG_CMDLINE:
        copy_command_line((const void *)tag);
        break;
    case MULTIBOOT_TAG_MMAP:
        copy_available((const void *)tag);
        break;
    case MULTIBOOT_TAG_FRAMEBUFFER:
        copy_framebuffer((const void *)tag);
        break;
    case MULTIBOOT_TAG_ELF_SECTIONS:
        read_sections((const void *)tag);
        break;
    case MULTIBOOT_TAG_ACPI_OLD:
    case MULTIBOOT_TAG_ACPI_NEW:
        copy_rsdp((const void *)tag);
        break;
    }
}

/// Read the tags up to the end tag. Returns what is wrong with their chain, or null.
static const char *read_tags(const struct multiboot_info *info)
{
    uint64_t offset = sizeof(*info);
    while (offset + sizeof(struct multiboot_tag) <= info->total_size) {
        const struct multiboot_tag *tag = (const void *)((const char *)info + offset);
        if (tag->type == MULTIBOOT_TAG_END)
            return NULL;
        if (tag->size < sizeof(*tag) || tag->size > info->total_size - offset)
            return "a tag does not fit in it; that tag and the rest are not used";
        read_tag(tag);
        offset += (tag->size + TAG_ALIGNMENT - 1ul) & ~(TAG_ALIGNMENT - 1ul);
    }
    return "its end tag is missing";
}

void bootinfo_init(uint64_t physical, uint64_t end)
{
    const struct multiboot_info *info = (const void *)physical;
    if (physical % TAG_ALIGNMENT != 0 || end - physical < sizeof(*info) ||
        info->total_size > end - physical) {
        refuse("it is not aligned, or longer than the memory that it lies in");
        return;
    }
    const char *flaw = read_tags(info);
    if (flaw)
        refuse(flaw);
    check_screen();
}

void bootinfo_report(void)
{
    for (size_t i = 0; i < bootinfo.refusal_count; i++)
        print("Boot information: %s.\n", bootinfo.refusals[i]);
}

bool bootinfo_is_ram(uint64_t physical, uint64_t length)
{
    for (size_t i = 0; i < bootinfo.available_count; i++) {
        const struct memory_range *range = &bootinfo.available[i];
        if (physical < range->base + range->length && range->base < physical + length)
            return true;
    }
    return false;
}

/// Copy the next word at *@at, which advances, into @word, where even the whole of a command line
/// fits. Quotes may open and close anywhere in a word, and a backslash takes away the meaning of
/// the next character: of NAME="a b" in its configuration GRUB makes "NAME=a b" on the command
/// line. Returns false at the end.
static bool next_word(const char **at, char *word)
{
    while (**at == ' ')
        (*at)++;
    if (**at == '\0')
        return false;

    size_t length = 0;
    bool quoted = false;
    for (; **at != '\0' && (quoted || **at != ' '); (*at)++) {
        if (**at == '"') {
            quoted = !quoted;
            continue;
        }
        if (**at == '\\' && (*at)[1] != '\0')
            (*at)++;
        word[length++] = **at;
    }
    word[length] = '\0';
    return true;
}

bool bootinfo_option(const char *name, char *value)
{
    size_t name_length = strlen(name);
    const char *at = bootinfo.command_line;
    while (next_word(&at, value)) {
        if (strncmp(value, name, name_length) == 0 && value[name_length] == '=') {
            const char *text = value + name_length + 1;
            memmove(value, text, strlen(text) + 1);
            return true;
        }
    }
    return false;
}
