// Opening and closing the tables, by their page-table entries.
#include "trap/tables.h"

#include <stddef.h>
#include <stdint.h>

#include "cpu/layout.h"
#include "cpu/paging.h"
#include "trap/stacks.h"

_Static_assert(offsetof(struct cpu, trap_count) == CPU_TABLES_SIZE && CPU_TABLES_SIZE == PAGE_SIZE,
               "GDT and TSS have a page of their own");
_Static_assert(sizeof(struct cpu) == CPU_SIZE, "paging_map_cpu() maps so much");

static void set_access(uint64_t start, uint64_t end, uint64_t access)
{
    for (uint64_t address = start; address < end; address += PAGE_SIZE)
        paging_set_access(address, access);
}

static void set_access_of_all(uint64_t access)
{
    const uint64_t own = (uint64_t)this_cpu();
    set_access((uint64_t)tables_start, (uint64_t)tables_end, access);
    set_access(own, own + PAGE_SIZE, access);
}

void tables_open(void)
{
    set_access_of_all(READ_WRITE);
}

void tables_close(void)
{
    set_access_of_all(READ_ONLY);
}

void *tables_rsp0(void)
{
    return paging_alias(&this_cpu()->tss.rsp[0]);
}
