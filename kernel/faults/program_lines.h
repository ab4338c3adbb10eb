// The `expect:` and `trap:` lines, for programs.
#pragma once

#include "faults/catalogue.h"
#include "report/record.h"

/// Print the line of @expected, which belongs to @fault.
void expect_line_print(const struct fault *fault, const struct expectation *expected);

/// Print the line of @record, which the fault called @name has raised, with the registers that
/// @expected names, if it is not null.
void trap_line_print(const struct record *record, const char *name,
                     const struct expectation *expected);
