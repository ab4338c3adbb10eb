// The world of ring 3 as kernel/cpu/paging.c and kernel/trap/gdt.c build it, as far as a Linux
// process may have it: the pages to fault on, and the stack; and the ends of the entries.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/layout.h"
#include "native.h"

#define PAGE_SIZE 4096

// What FAULT_PAGE says of a page: the protection that mmap() is to give, or that it has none for
// it.
#define READ_ONLY    (PROT_READ << 8)
#define READ_WRITE   ((PROT_READ | PROT_WRITE) << 8)
#define READ_EXECUTE ((PROT_READ | PROT_EXEC) << 8)
#define PTE_RESERVED (1 << 16)

// `mov eax, RESULT` and `int VECTOR_USER`, which `done` assembles to; and what it becomes here.
#define OPCODE_MOV_EAX 0xB8
#define OPCODE_INT     0xCD
#define OFFSET_OF_INT  5
static const uint8_t ud2[] = {0x0F, 0x0B};

static uint8_t *const code_start = (uint8_t *)user_text_start;
static uint8_t *const code_end = (uint8_t *)user_text_end;

static void check(bool is_ok, const char *what)
{
    if (is_ok)
        return;
    perror(what);
    exit(EXIT_FAILURE);
}

/// Populated: an access to a page that Linux has yet to bring in would be reported as not present.
static void map(uint64_t address, size_t size, int protection)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE;
    void *page = mmap((void *)address, size, protection, flags, -1, 0);
    check(page == (void *)address, "mmap");
}

/// A process has no supervisor's pages and no reserved bits: those stay unmapped.
static int protection(unsigned access)
{
    if (!(access & PTE_US) || access & PTE_RESERVED)
        return PROT_NONE;
    return (int)(access >> 8) & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

int native_page_protection(uint64_t address)
{
#define NOTE(text)
#define FAULT_PAGE(name, page, access)                                                             \
    if (address == (page))                                                                         \
        return protection(access);
#include "faults/fault_pages.def"
#undef FAULT_PAGE
#undef NOTE
    return PROT_NONE;
}

static void map_fault_page(uint64_t address, unsigned access)
{
    if (protection(access) != PROT_NONE)
        map(address, PAGE_SIZE, protection(access));
}

static void map_pages(void)
{
    map(USER_STACK_LOW, USER_STACK_HIGH - USER_STACK_LOW, PROT_READ | PROT_WRITE);
#define NOTE(text)
#define FAULT_PAGE(name, address, access) map_fault_page(address, access);
#include "faults/fault_pages.def"
#undef FAULT_PAGE
#undef NOTE
}

/// INT 0x80 is a system call here. RIP tells the UD2 of an end from any other.
static void replace_ends(void)
{
    for (uint8_t *at = code_start; at + OFFSET_OF_INT + sizeof(ud2) <= code_end; at++)
        if (at[0] == OPCODE_MOV_EAX && at[OFFSET_OF_INT] == OPCODE_INT &&
            at[OFFSET_OF_INT + 1] == VECTOR_USER)
            memcpy(at + OFFSET_OF_INT, ud2, sizeof(ud2));
}

bool native_is_end(uint64_t rip)
{
    const uint8_t *at = (const uint8_t *)rip;
    return at >= code_start + OFFSET_OF_INT && at + sizeof(ud2) <= code_end &&
           memcmp(at, ud2, sizeof(ud2)) == 0 && at[-OFFSET_OF_INT] == OPCODE_MOV_EAX;
}

static void protect_code(int protection)
{
    size_t size = (size_t)(user_text_end - user_text_start);
    check(mprotect(user_text_start, size, protection) == 0, "mprotect");
}

void native_world_init(void)
{
    map_pages();
    protect_code(PROT_READ | PROT_WRITE);
    replace_ends();
    native_replace_selectors();
    protect_code(PROT_READ | PROT_EXEC);
    native_load_data_segments();
}
