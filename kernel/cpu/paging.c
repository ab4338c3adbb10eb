// The kernel's page tables. Four levels, 4 KiB pages: SDM vol. 3, 4.5.
#include "cpu/paging.h"

#include "cpu/layout.h"
#include "cpu/memory.h"

#define LEVELS     4
#define INDEX_MASK 0x1FFul
// The last bit of an address in an entry.
#define PTE_ADDRESS_HIGH (1ul << 51)

#define CPUID_ADDRESS_SIZES (CPUID_EXTENDED + 8)

static uint64_t *root;
static uint64_t device_next = DEVICE_BASE;

/// Where the CPU's physical addresses end: SDM vol. 3, 4.1.4. A higher bit in an entry is reserved.
static uint64_t physical_end(void)
{
    bool told = cpuid(CPUID_EXTENDED, 0).eax >= CPUID_ADDRESS_SIZES;
    return 1ul << (told ? cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xFF : 36);
}

uint64_t paging_reserved_bit(void)
{
    return physical_end() <= PTE_ADDRESS_HIGH ? PTE_ADDRESS_HIGH : 0;
}

static unsigned table_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (12 + 9 * level) & INDEX_MASK);
}

/// The entry for @address in the lowest table. Tables allow everything: the lowest entry decides.
static uint64_t *entry_or_new(uint64_t address)
{
    uint64_t *table = root;
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        uint64_t *entry = &table[table_index(address, level)];
        if (!(*entry & PTE_P))
            *entry = memory_physical(memory_frame()) | PTE_US | PTE_RW | PTE_P;
        table = memory_virtual(*entry & PTE_ADDRESS);
    }
    return &table[table_index(address, 0)];
}

uint64_t *paging_entry(const void *address)
{
    if (root == NULL)
        return NULL;
    uint64_t *table = root;
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        uint64_t entry = table[table_index((uint64_t)address, level)];
        if (!(entry & PTE_P))
            return NULL;
        table = memory_virtual(entry & PTE_ADDRESS);
    }
    return &table[table_index((uint64_t)address, 0)];
}

void paging_set_access(uint64_t address, uint64_t access)
{
    uint64_t *entry = paging_entry((const void *)address);
    *entry = (*entry & PTE_ADDRESS) | access;
    invlpg((const void *)address);
}

void *paging_alias(const void *address)
{
    char *frame = memory_virtual(*paging_entry(address) & PTE_ADDRESS);
    return frame + (uint64_t)address % PAGE_SIZE;
}

static void map(uint64_t address, uint64_t physical, size_t size, uint64_t access)
{
    for (size_t offset = 0; offset < size; offset += PAGE_SIZE)
        *entry_or_new(address + offset) = (physical + offset) | access;
}

void paging_map_new(uint64_t address, size_t size, uint64_t access)
{
    for (size_t offset = 0; offset < size; offset += PAGE_SIZE)
        *entry_or_new(address + offset) = memory_physical(memory_frame()) | access;
}

static void map_image(char *start, char *end, uint64_t access)
{
    map((uint64_t)start, (uint64_t)start - KERNEL_BASE, (size_t)(end - start), access);
}

void paging_map_cpu(unsigned number)
{
    const uint64_t offset = number * CPU_REGION_SIZE;
    paging_map_new(CPU_BASE + offset, CPU_SIZE, READ_WRITE);
    paging_map_new(KERNEL_STACK_LOW + offset, KERNEL_STACK_HIGH - KERNEL_STACK_LOW, READ_WRITE);
    paging_map_new(DF_STACK_LOW + offset, DF_STACK_HIGH - DF_STACK_LOW, READ_WRITE);
    paging_map_new(MC_STACK_LOW + offset, MC_STACK_HIGH - MC_STACK_LOW, READ_WRITE);
}

static void map_user_region(void)
{
    map((uint64_t)user_text_start, (uint64_t)user_text_physical,
        (size_t)(user_text_end - user_text_start), READ_EXECUTE | PTE_US);
    paging_map_new(USER_STACK_LOW, USER_STACK_HIGH - USER_STACK_LOW, READ_WRITE | PTE_US);
}

uint64_t paging_init(void)
{
    root = memory_frame();
    map_image(text_start, text_end, READ_EXECUTE);
    map_image(rodata_start, rodata_end, READ_ONLY);
    map_image(data_start, data_end, READ_WRITE);
    map(POOL_BASE, memory_physical(root), POOL_SIZE, READ_WRITE); // its first frame is the root
    paging_map_cpu(0);
    map_user_region();

    uint64_t root_physical = memory_physical(root);
    memory_remap();
    root = memory_virtual(root_physical);
    return root_physical;
}

void *paging_map_physical(uint64_t physical, size_t length, bool uncached)
{
    if (length == 0 || physical >= physical_end() || length > physical_end() - physical)
        return NULL;
    uint64_t offset = physical & (PAGE_SIZE - 1);
    uint64_t address = device_next;
    size_t size = (offset + length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    size_t size_with_gap = size + PAGE_SIZE; // an access beyond the end must not go unnoticed
    if (size_with_gap > CPU_BASE - device_next)
        return NULL;
    map(address, physical - offset, size, READ_WRITE | (uncached ? PTE_PCD | PTE_PWT : 0));
    device_next += size_with_gap;
    return (void *)(address + offset);
}

uint64_t paging_device_end(void)
{
    return device_next;
}
