// What the DSDT says of switching the machine off.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/acpi.h"

/// Read the SLP_TYPa and SLP_TYPb values of \_S5_ from @dsdt. Returns false if it has none.
bool sleep_types(const struct acpi_header *dsdt, uint8_t *type_a, uint8_t *type_b);
