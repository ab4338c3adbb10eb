// What a storm was: a table, and KTAP for programs.
#pragma once

#include "storm/storm.h"

#define STORM_CHECKS 4

/// Print the report on @storm. The plan is "1..STORM_CHECKS". Returns whether all was right.
bool storm_report(const struct storm *storm);
