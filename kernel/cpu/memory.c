// The pool of frames: a bump allocator over one piece of RAM.
#include "cpu/memory.h"

#include <stdbool.h>

#include "boot/bootinfo.h"
#include "cpu/layout.h"
#include "cpu/paging.h"
#include "lib/panic.h"
#include "lib/string.h"

#define BOOT_MAPPING_END (1ul << 30) // start.asm maps this much of RAM in the kernel's half

// Real mode's memory that is no firmware's: behind the BIOS's own data, in front of the display's.
#define LOW_START 0x1000ul
#define LOW_END   0xA0000ul

static uint64_t pool_physical;
static char *pool; ///< the same memory, as it is mapped now
static size_t pool_used;

/// If [*base, *base + length) overlaps the range, move *base behind it.
static bool step_over(uint64_t *base, size_t length, uint64_t range, size_t size)
{
    if (size == 0 || *base >= range + size || range >= *base + length)
        return false;
    *base = (range + size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    return true;
}

/// The symbols lie where the boot loader put them.
static bool step_over_symbols(uint64_t *base, size_t length)
{
    return step_over(base, length, bootinfo.symtab, bootinfo.symtab_size) ||
           step_over(base, length, bootinfo.strtab, bootinfo.strtab_size);
}

/// What the pool must not cover: the kernel, and the symbols.
static bool step_over_used(uint64_t *base)
{
    return step_over(base, POOL_SIZE, 0, 1ul << 20) ||
           step_over(base, POOL_SIZE, (uint64_t)kernel_start - KERNEL_BASE,
                     (size_t)(kernel_end - kernel_start)) ||
           step_over_symbols(base, POOL_SIZE);
}

void memory_init(void)
{
    if (bootinfo.available_count == 0)
        panic("the boot loader gave no memory map that can be used.\nBoot with GRUB 2.");
    for (size_t i = 0; i < bootinfo.available_count; i++) {
        uint64_t base = (bootinfo.available[i].base + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
        uint64_t end = bootinfo.available[i].base + bootinfo.available[i].length;
        if (end > BOOT_MAPPING_END)
            end = BOOT_MAPPING_END;
        while (step_over_used(&base))
            ;
        if (base + POOL_SIZE <= end) {
            pool_physical = base;
            pool = (char *)(KERNEL_BASE + base);
            return;
        }
    }
    panic("too little memory: %lu MiB of RAM in one piece between 1 MiB and 1 GiB are needed.\n"
          "Give the machine 32 MiB or more.",
          POOL_SIZE >> 20);
}

uint64_t memory_low_page(void)
{
    for (size_t i = 0; i < bootinfo.available_count; i++) {
        uint64_t base = (bootinfo.available[i].base + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
        uint64_t end = bootinfo.available[i].base + bootinfo.available[i].length;
        if (base < LOW_START)
            base = LOW_START;
        while (step_over_symbols(&base, PAGE_SIZE))
            ;
        if (base + PAGE_SIZE <= end && base + PAGE_SIZE <= LOW_END)
            return base;
    }
    return 0;
}

void memory_remap(void)
{
    pool = (char *)POOL_BASE;
}

void *memory_frame(void)
{
    if (pool_used == POOL_SIZE)
        panic("the pool of %lu MiB for page tables and stacks is empty", POOL_SIZE >> 20);
    void *frame = pool + pool_used;
    pool_used += PAGE_SIZE;
    return memset(frame, 0, PAGE_SIZE);
}

uint64_t memory_physical(const void *frame)
{
    return pool_physical + (uint64_t)((const char *)frame - pool);
}

void *memory_virtual(uint64_t physical)
{
    return pool + (physical - pool_physical);
}
