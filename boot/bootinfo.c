// Walks the tags of the Multiboot2 information and copies what the kernel needs. Nothing in it is
// trusted to fit: Multiboot2 Specification 2.0, section 3.6.
#include "boot/bootinfo.h"

#include "lib/string.h"

#define TAG_ALIGNMENT 8

/// A section header: System V ABI, "Sections".
typedef struct {
    uint32_t sh_name, sh_type;
    uint64_t sh_flags, sh_addr, sh_offset, sh_size;
    uint32_t sh_link, sh_info;
    uint64_t sh_addralign, sh_entsize;
} Elf64_Shdr;

#define SHT_SYMTAB 2
#define SHF_ALLOC  (1ul << 1)

struct bootinfo bootinfo;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void copy_command_line(const struct multiboot_tag_string *tag)
{
    size_t length = smaller(tag->tag.size - sizeof *tag, sizeof bootinfo.command_line - 1);
    memcpy(bootinfo.command_line, tag->string, length);
    bootinfo.command_line[length] = '\0';
}

static void copy_available(const struct multiboot_tag_mmap *tag)
{
    struct multiboot_mmap_entry entry;
    if (tag->tag.size < sizeof *tag || tag->entry_size < sizeof entry)
        return;
    const char *end = (const char *)tag + tag->tag.size;
    size_t capacity = sizeof bootinfo.available / sizeof *bootinfo.available;
    for (const char *at = (const char *)tag->entries; end - at >= (ptrdiff_t)sizeof entry;
         at += tag->entry_size) {
        memcpy(&entry, at, sizeof entry);
        if (entry.type == MULTIBOOT_MEMORY_AVAILABLE && bootinfo.available_count < capacity)
            bootinfo.available[bootinfo.available_count++] =
                (struct memory_range){entry.base, entry.length};
    }
}

/// A text mode's tag ends before the colour fields, which then read as 0.
static void copy_framebuffer(const struct multiboot_tag_framebuffer *tag)
{
    if (tag->tag.size < offsetof(struct multiboot_tag_framebuffer, reserved))
        return;
    memcpy(&bootinfo.framebuffer, tag, smaller(tag->tag.size, sizeof *tag));
    bootinfo.has_framebuffer = true;
}

static void copy_rsdp(const struct multiboot_tag_acpi *tag)
{
    size_t size = smaller(tag->tag.size - sizeof *tag, sizeof bootinfo.rsdp);
    // A loader may give both revisions: the later one has the 64-bit addresses and stays.
    if (size < bootinfo.rsdp_size)
        return;
    memcpy(bootinfo.rsdp, tag->rsdp, size);
    bootinfo.rsdp_size = size;
}

/// Section header @index, or false if the tag has none. The headers lie unaligned in the tag.
static bool section_header(const struct multiboot_tag_elf_sections *tag, size_t index,
                           Elf64_Shdr *header)
{
    if (index >= tag->count || tag->entry_size < sizeof *header)
        return false;
    uint64_t offset = sizeof *tag + (uint64_t)index * tag->entry_size;
    if (offset + sizeof *header > tag->tag.size)
        return false;
    memcpy(header, (const char *)tag + offset, sizeof *header);
    return true;
}

static void take_symbols(const Elf64_Shdr *symtab, const Elf64_Shdr *strtab)
{
    bootinfo.symtab = symtab->sh_addr;
    bootinfo.symtab_size = symtab->sh_size;
    bootinfo.strtab = strtab->sh_addr;
    bootinfo.strtab_size = strtab->sh_size;
}

/// Never read sh_addr of a section with SHF_ALLOC as a physical address: it is where the kernel
/// runs. The loader puts the other sections where it likes and writes that into their sh_addr.
static void read_sections(const struct multiboot_tag_elf_sections *tag)
{
    if (tag->tag.size < sizeof *tag)
        return;
    Elf64_Shdr header, strtab;
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

void bootinfo_init(uint64_t physical)
{
    const struct multiboot_info *info = (const void *)physical;

    uint64_t offset = sizeof *info;
    while (offset + sizeof(struct multiboot_tag) <= info->total_size) {
        const struct multiboot_tag *tag = (const void *)(physical + offset);
        if (tag->type == MULTIBOOT_TAG_END || tag->size < sizeof *tag ||
            tag->size > info->total_size - offset)
            return;
        read_tag(tag);
        offset += (tag->size + TAG_ALIGNMENT - 1ul) & ~(TAG_ALIGNMENT - 1ul);
    }
}

/// Copy the next word at *@at, which advances, into @word. Quotes may open and close anywhere in
/// a word, and a backslash takes away the meaning of the next character: of NAME="a b" in its
/// configuration GRUB makes "NAME=a b" on the command line. Returns false at the end.
static bool next_word(const char **at, char *word, size_t size)
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
        if (length + 1 < size)
            word[length++] = **at;
    }
    word[length] = '\0';
    return true;
}

static void copy_text(char *to, size_t size, const char *text)
{
    size_t length = smaller(strlen(text), size - 1);
    memcpy(to, text, length);
    to[length] = '\0';
}

bool bootinfo_option(const char *name, char *value, size_t size)
{
    char word[sizeof bootinfo.command_line];
    size_t name_length = strlen(name);
    const char *at = bootinfo.command_line;
    while (next_word(&at, word, sizeof word)) {
        if (strncmp(word, name, name_length) == 0 && word[name_length] == '=') {
            copy_text(value, size, word + name_length + 1);
            return true;
        }
    }
    return false;
}
