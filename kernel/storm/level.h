// The levels of a storm: a witness on top of the trap that has interrupted another.
#pragma once

#include "storm/storm.h"
#include "trap/regs.h"

/// Have the pages that the storms of all CPUs need: where a CPU has none yet, they are taken.
void level_reserve_pages(void);

/// Map what the witnesses of this CPU need. Undo it.
void level_map_pages(void);
void level_unmap_pages(void);

/// Run a witness with everything raised that can be, and compare what it saw. Needs IF clear; traps
/// that come may dive.
void level_run(struct storm *storm);

/// Count the single steps of a witness in both rings, while nothing else comes.
void level_count_steps(struct storm *storm);

/// On top of the trap @regs, run another witness, if there is room for one.
void level_dive(struct storm *storm, const struct regs *regs);

/// Make the page that a witness touches accessible. False if there is none at @address.
bool level_map_touched(uint64_t address, bool is_user);
