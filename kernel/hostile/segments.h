// A local descriptor table for hostile programs: whatever a descriptor may be, and what only the
// CPU refuses.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/random.h"

/// Let the GDT name the table. The tables must be open; gdt_init() ends it.
void segments_init(void);

/// Load the table, or none.
void segments_load(bool is_wanted);

/// Any selector of either table, there or not, for ring 3.
uint16_t segments_pick(struct random *random);

/// A code segment of 32 or 16 bits, and a stack, that ring 3 can start with.
uint16_t segments_pick_code(struct random *random);
uint16_t segments_pick_stack(struct random *random);

/// Where the segment of @selector begins. SDM vol. 3, 3.4.5.
uint64_t segments_base(uint16_t selector);
