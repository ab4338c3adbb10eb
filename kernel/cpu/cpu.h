// The features of the CPU, and its control registers.
#pragma once

#include <stdbool.h>

#define FEATURE(name, leaf, subleaf, output, bit) FEATURE_##name,
enum feature {
    FEATURE_ALWAYS,
#include "cpu/features.def"
    FEATURE_PTE_RESERVED, ///< a page-table entry has a reserved bit
    FEATURE_COUNT
};
#undef FEATURE

/// Whether the CPU has @feature; FEATURE_ALWAYS is always there.
bool cpu_has(enum feature feature);

/// The name in the manuals of a feature that a CPU may lack.
const char *feature_name(enum feature feature);

/// Detect the features.
void cpu_detect(void);

/// The CPU has @feature, but it cannot be used: cpu_has() denies it from now on.
void cpu_forget(enum feature feature);

/// Switch on in CR0, CR4 and XCR0 what the kernel relies on. Needs the kernel's own tables.
void cpu_init(void);

/// Put x87 and SSE in their state of reset: all of their exceptions are masked. Needs CR0.EM and
/// CR0.TS clear. SDM vol. 1, 8.1.5 and 11.6.4.
void cpu_init_floating_point(void);
