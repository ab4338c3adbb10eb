// What a storm must come to: what was raised has come, and no stack held more than its budget.
#pragma once

#include "storm/storm.h"

/// Note a vector that came more or less often than it was raised. Needs the calm behind the storm.
void accounts_check_counts(struct storm *storm);

/// Paint the stacks of this CPU; later note how much of them was used, and whether that is too
/// much.
void accounts_paint_stacks(void);
void accounts_check_stacks(struct storm *storm);

/// Add those of @storm to @sum: the most of each stack, and the first thing that was wrong.
void accounts_add(struct storm *sum, const struct storm *storm);
