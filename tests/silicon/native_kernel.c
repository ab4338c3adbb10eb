// What the entries' routines for ring 0 find here in the kernel's place: a page-table entry whose
// changes Linux carries out, and two privileged instructions.
#include <string.h>
#include <sys/mman.h>

#include "cpu/layout.h"
#include "native.h"

#define PAGE_SIZE  4096
#define PTE_XD     (1ul << 63)
#define PTE_KEY(e) ((int)((e) >> 59 & 0xF)) // SDM vol. 3, 4.6.2

extern const uint8_t fault_text_start[], fault_text_end[];

uint64_t *paging_entry(const void *address);

static struct {
    uint64_t address, before, entry;
    uint64_t next; ///< the next page's entry, of which changes are lost
} page;

uint64_t *paging_entry(const void *address)
{
    int protection = native_page_protection((uint64_t)address);
    page.address = (uint64_t)address;
    page.entry = protection ? PTE_P | PTE_US : 0;
    page.entry |= protection & PROT_WRITE ? PTE_RW : 0;
    page.entry |= protection & PROT_EXEC ? 0 : PTE_XD;
    page.before = page.entry;
    return &page.entry;
}

/// Have protection key @key allocated: Linux hands them out from 1 on.
static bool have_key(int key)
{
    int got = 0;
    while (got < key && got >= 0)
        got = pkey_alloc(0, 0);
    return got == key;
}

bool native_carry_out(void)
{
    if (page.entry == page.before)
        return true;
    int protection = page.entry & PTE_P ? PROT_READ : PROT_NONE;
    protection |= page.entry & PTE_RW ? PROT_WRITE : 0;
    protection |= page.entry & PTE_XD ? 0 : PROT_EXEC;
    page.before = page.entry;
    int key = PTE_KEY(page.entry);
    return have_key(key) && pkey_mprotect((void *)page.address, PAGE_SIZE, protection, key) == 0;
}

bool native_emulate(uint64_t *rip, uint64_t rdx)
{
    static const uint8_t invlpg[] = {0x0F, 0x01, 0x3C, 0x25}; // and the 32-bit address
    static const uint8_t write_spare[] = {0x48, 0x89, 0x50, SELECTOR_SPARE}; // mov [rax + N], rdx
    const uint8_t *at = (const uint8_t *)*rip;
    if (at < fault_text_start || at >= fault_text_end)
        return false;
    if (memcmp(at, invlpg, sizeof(invlpg)) == 0) {
        *rip += sizeof(invlpg) + sizeof(uint32_t);
        return true;
    }
    *rip += sizeof(write_spare);
    return memcmp(at, write_spare, sizeof(write_spare)) == 0 && native_write_spare_descriptor(rdx);
}
