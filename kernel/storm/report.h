// What a storm was: a table, and KTAP for programs.
#pragma once

#include "storm/storm.h"

/// Print the report on @storm. Returns whether all was right.
bool storm_report(const struct storm *storm);
