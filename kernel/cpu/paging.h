// Page tables: 4 KiB pages, no page both writable and executable, an unmapped guard page below
// every stack, page 0 and the identity map gone. SDM vol. 3, 4.5.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/x86.h"

#define PAGE_SIZE 4096ul

// The entry's upper half; the low bits are in x86.def. SDM vol. 3, table 4-20.
#define PTE_XD      (1ul << 63)
#define PTE_ADDRESS 0x000FFFFFFFFFF000ul

// The access that a page gives. None of them is both writable and executable.
#define READ_EXECUTE PTE_P
#define READ_ONLY    (PTE_P | PTE_XD)
#define READ_WRITE   (PTE_P | PTE_RW | PTE_XD)

/// Build the kernel's own tables, and return the physical address for CR3. Needs memory_init(). The
/// pool must not be touched until CR3 is loaded: it moves. The boot mapping is gone then.
uint64_t paging_init(void);

/// Map the region of CPU @number: struct cpu and its stacks.
void paging_map_cpu(unsigned number);

/// A bit that is reserved in an entry of the lowest table, or 0 where the CPU's physical addresses
/// leave none. SDM vol. 3, table 4-20.
uint64_t paging_reserved_bit(void);

/// Map @size bytes of frames that nobody uses yet at @address, whole pages both, with @access: one
/// of the above, PTE_US for ring 3's, or 0.
void paging_map_new(uint64_t address, size_t size, uint64_t access);

/// Map @length bytes of device memory or firmware tables at @physical (any alignment) for ring 0,
/// never executable, uncached if @uncached. Returns where @physical is now, or null where the CPU
/// has no such address or the room for such maps is full.
void *paging_map_physical(uint64_t physical, size_t length, bool uncached);

/// Where the maps of paging_map_physical(), from DEVICE_BASE on, end so far.
uint64_t paging_device_end(void);

/// The page-table entry that maps @address, or null if no table reaches it.
uint64_t *paging_entry(const void *address);

/// Let the page at @address, whose table there is, give @access, on this CPU from now on; its frame
/// stays.
void paging_set_access(uint64_t address, uint64_t access);

/// What @address maps, of a frame of the pool, as the pool has it: ring 0 may always write there.
void *paging_alias(const void *address);
