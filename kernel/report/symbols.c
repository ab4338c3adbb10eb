// A search through the ELF symbol table. System V ABI, chapter 4.
#include "report/symbols.h"

#include "boot/bootinfo.h"
#include "cpu/layout.h"
#include "cpu/paging.h"
#include "lib/print.h"

struct elf64_sym {
    uint32_t st_name;
    uint8_t st_info, st_other;
    uint16_t st_shndx;
    uint64_t st_value, st_size;
};

#define STT_NOTYPE 0
#define STT_FUNC   2
#define SHN_UNDEF  0
#define SHN_ABS    0xFFF1

static struct elf64_sym *symbols; ///< those of code: every search looks at all of them
static const char *names;
static size_t symbol_count;

static bool is_of_code(const struct elf64_sym *symbol)
{
    unsigned type = symbol->st_info & 0xF;
    return (type == STT_FUNC || type == STT_NOTYPE) && symbol->st_shndx != SHN_UNDEF &&
           symbol->st_shndx != SHN_ABS && symbol->st_name < bootinfo.strtab_size;
}

/// Drop the others, where they lie.
static void keep_code(size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_of_code(&symbols[i]))
            symbols[symbol_count++] = symbols[i];
}

void symbols_init(void)
{
    if (bootinfo.symtab_size == 0) {
        print("The boot loader gave no symbols: addresses have no names.\n");
        return;
    }
    names = paging_map_physical(bootinfo.strtab, bootinfo.strtab_size, false);
    symbols = paging_map_physical(bootinfo.symtab, bootinfo.symtab_size, false);
    if (names && symbols && names[bootinfo.strtab_size - 1] == '\0')
        keep_code(bootinfo.symtab_size / sizeof(*symbols));
    else
        print("The kernel's symbol table is damaged: addresses have no names.\n");
}

/// A function covers its size; a label of hand-written code, which has none, all that follows it.
static bool covers(const struct elf64_sym *symbol, uint64_t address)
{
    return address >= symbol->st_value &&
           address - symbol->st_value < (symbol->st_size ? symbol->st_size : PAGE_SIZE);
}

/// What has a size covers surely; of the rest the nearest one.
static bool better(const struct elf64_sym *a, const struct elf64_sym *b)
{
    if (b == NULL || (a->st_size != 0) != (b->st_size != 0))
        return b == NULL || a->st_size != 0;
    return a->st_value > b->st_value;
}

static bool is_code(uint64_t address)
{
    return (address >= (uint64_t)text_start && address < (uint64_t)text_end) ||
           (address >= (uint64_t)user_text_start && address < (uint64_t)user_text_end);
}

static const struct elf64_sym *find(uint64_t address)
{
    const struct elf64_sym *best = NULL;
    if (!is_code(address))
        return NULL;
    for (size_t i = 0; i < symbol_count; i++)
        if (covers(&symbols[i], address) && better(&symbols[i], best))
            best = &symbols[i];
    return best;
}

void symbols_describe(uint64_t address, char *text, size_t size)
{
    const struct elf64_sym *best = find(address);
    if (best == NULL)
        print_to(text, size, "?");
    else if (address == best->st_value)
        print_to(text, size, "%s", names + best->st_name);
    else
        print_to(text, size, "%s+0x%lx", names + best->st_name, address - best->st_value);
}
