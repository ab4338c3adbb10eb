// What came of many hostile programs.
#pragma once

#include "hostile/hostile.h"

void totals_forget(void);
void totals_count(const struct program *program, const struct ending *ending);
void totals_print(void);
