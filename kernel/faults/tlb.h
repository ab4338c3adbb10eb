// What each CPU reads of a page while one of them changes where it lies.
#pragma once

#include <stdbool.h>

#include "trap/stacks.h"

/// By the CPU's number, whether it has read the page as it was before the change.
struct tlb_trial {
    bool is_stale[CPU_LIMIT];     ///< before the shootdown: a CPU may
    bool is_stale_yet[CPU_LIMIT]; ///< behind it: none must
};

/// Have @changer change the page, and then shoot the old translation down.
void tlb_try(struct cpu *changer, struct tlb_trial *trial);
