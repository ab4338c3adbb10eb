// Fuzzes kernel/report/symbols.c: the input is the size of the names in 16 bits, the names, then
// the symbols.
#include "report/symbols.c"

#include <string.h>

#include "tests/fuzz/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// The kernel's code, where 32-bit relocations reach. Nobody reads there.
#define TEXT_START 0x10100000
__asm__(".globl text_start, text_end, user_text_start, user_text_end\n"
        ".set text_start, 0x10100000\n"
        ".set text_end, 0x10110000\n"
        ".set user_text_start, 0x400000\n"
        ".set user_text_end, 0x401000\n");

static void describe_addresses(void)
{
    static const uint64_t addresses[] = {0,          0x400000,   TEXT_START, TEXT_START + 0x10,
                                         0x1010FFFF, 0x10110000, UINT64_MAX};
    symbols_init();
    for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
        char text[32];
        symbols_describe(addresses[i], text, sizeof(text));
        always(strlen(text) < sizeof(text), "a description ends");
        print("%s\n", text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t names_size;
    if (size < sizeof(names_size))
        return 0;
    memcpy(&names_size, data, sizeof(names_size));
    size -= sizeof(names_size);
    if (names_size > size)
        return 0;
    memory_is(data + sizeof(names_size), size);
    bootinfo.strtab = MEMORY_START;
    bootinfo.strtab_size = names_size;
    bootinfo.symtab = MEMORY_START + names_size;
    bootinfo.symtab_size = size - names_size;
    symbol_count = 0;
    run(describe_addresses);
    return 0;
}
