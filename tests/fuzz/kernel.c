// The stand-ins. A map is a copy with exactly the bytes asked for: AddressSanitizer sees any access
// beyond it. What the kernel prints comes out if the environment has SAY.
#include "tests/fuzz/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/paging.h"
#include "lib/panic.h"
#include "lib/print.h"

#define ADDRESS_END (1ul << 46) // this CPU's
#define ROOM        (2ul << 20) // for maps: small, so that it runs out in many inputs
#define MAPS_MAX    256

static const uint8_t *memory;
static size_t memory_size;
static void *maps[MAPS_MAX];
static size_t map_count, room_used;
static jmp_buf panicked;

void memory_is(const uint8_t *data, size_t size)
{
    memory = data;
    memory_size = size;
}

void *paging_map_physical(uint64_t physical, size_t length, bool uncached)
{
    (void)uncached;
    if (length == 0 || physical >= ADDRESS_END || length > ADDRESS_END - physical ||
        length > ROOM - room_used || map_count == MAPS_MAX)
        return NULL;
    uint8_t *map = malloc(length);
    always(map != NULL, "there is memory for a map");
    memset(map, 0xFF, length);
    if (physical >= MEMORY_START && physical - MEMORY_START < memory_size) {
        size_t there = memory_size - (physical - MEMORY_START);
        memcpy(map, memory + (physical - MEMORY_START), length < there ? length : there);
    }
    maps[map_count++] = map;
    room_used += length;
    return map;
}

static void say(const char *text, size_t length)
{
    if (getenv("SAY")) {
        fwrite(text, 1, length, stdout);
        fflush(stdout);
    }
}

__attribute__((constructor)) static void begin(void)
{
    print_init(say);
}

void panic(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    print_to_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    print("KERNEL PANIC: %s\n", text);
    longjmp(panicked, 1);
}

void run(void (*work)(void))
{
    if (setjmp(panicked) == 0)
        work();
    while (map_count > 0)
        free(maps[--map_count]);
    room_used = 0;
}

void always(int truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "always: %s: it does not hold\n", what);
    abort();
}
