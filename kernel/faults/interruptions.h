// The interrupts of devices that an entry expects (`interrupted`): the devices' own handlers take
// them, so here they are only counted, from one trap of the entry to the next.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "faults/catalogue.h"

/// An entry's code is about to run.
void interruptions_begin(void);

/// The trap with number @number (from 0) of @fault has come, or its code is over after @number
/// traps: note which interrupts have come since the trap before it.
void interruptions_note(const struct fault *fault, size_t number);

/// Whether each interrupt that @fault expects has come.
bool interruptions_all_came(const struct fault *fault);

/// Whether the interrupt of @expected came in its place: between the traps that @fault expects in
/// front of it and behind it.
bool interruption_came(const struct fault *fault, const struct expectation *expected);
