// Physical memory: one pool, taken from the boot loader's memory map, handed out in frames of
// 4 KiB and never given back.
#pragma once

#include <stddef.h>
#include <stdint.h>

// It must hold the regions of CPU_LIMIT CPUs, and the pages of a storm on each.
#define POOL_SIZE (12ul << 20)

/// Take the pool. Panics in words if the machine has too little memory.
void memory_init(void);

/// The physical address of a page of RAM below 1 MiB, where a CPU starts in real mode; 0 if there
/// is none. Nobody else uses it, and each call gives the same one.
uint64_t memory_low_page(void);

/// paging_init() has mapped the pool at POOL_BASE: that is its address from now on.
void memory_remap(void);

/// A zeroed frame of the pool. Panics in words when the pool is empty.
void *memory_frame(void);

/// The physical address of @frame, and the frame of the pool at @physical.
uint64_t memory_physical(const void *frame);
void *memory_virtual(uint64_t physical);
