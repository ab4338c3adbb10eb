// The state beyond the general registers, as XSAVE sees it: x87, XMM, YMM, ZMM and mask registers,
// whatever of them this CPU has. SDM vol. 1, chapter 13.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Prepare areas with random contents. False if the CPU or the system has no XSAVE.
bool extended_init(void);

/// The component bitmap of what is saved and restored.
uint64_t extended_components(void);

/// One of the areas to restore from, chosen by @number, and the area to save to.
void *extended_area(uint64_t number);
void *extended_result(void);

/// Whether the result is the area of @number.
bool extended_is_unchanged(uint64_t number);

/// The widest vector registers among the components, in words.
const char *extended_name(void);
