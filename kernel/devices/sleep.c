// Finds \_S5_ in the AML of the DSDT: ACPI 6.4, 7.4.2. Firmware writes it as a constant package, so
// that finding its name does instead of an interpreter.
#include "devices/sleep.h"

#include <stddef.h>

#include "lib/string.h"

// AML encoding: ACPI 6.4, 20.2.
enum aml_op {
    AML_ZERO_OP = 0x00,
    AML_ONE_OP = 0x01,
    AML_BYTE_PREFIX = 0x0A,
    AML_WORD_PREFIX = 0x0B,
    AML_DWORD_PREFIX = 0x0C,
};
#define AML_S5_PACKAGE "_S5_\x12" // the name, then PackageOp

/// How many bytes of value follow @op, an integer constant's first byte; -1 if it is none.
static ptrdiff_t integer_size(uint8_t op)
{
    switch (op) {
    case AML_ZERO_OP:
    case AML_ONE_OP:
        return 0;
    case AML_BYTE_PREFIX:
        return 1;
    case AML_WORD_PREFIX:
        return 2;
    case AML_DWORD_PREFIX:
        return 4;
    }
    return -1;
}

/// Read the integer constant at *@at, which advances. Only its low byte is of interest.
static bool read_integer(const uint8_t **at, const uint8_t *end, uint8_t *low_byte)
{
    if (*at >= end)
        return false;
    uint8_t op = *(*at)++;
    ptrdiff_t size = integer_size(op);
    if (size < 0 || end - *at < size)
        return false;
    *low_byte = size == 0 ? op : **at; // ZeroOp and OneOp are their own values
    *at += size;
    return true;
}

static const uint8_t *find_s5_package(const uint8_t *aml, const uint8_t *end)
{
    ptrdiff_t size = sizeof(AML_S5_PACKAGE) - 1;
    for (; end - aml >= size; aml++)
        if (memcmp(aml, AML_S5_PACKAGE, size) == 0)
            return aml + size;
    return NULL;
}

bool sleep_types(const struct acpi_header *dsdt, uint8_t *type_a, uint8_t *type_b)
{
    const uint8_t *end = (const uint8_t *)dsdt + dsdt->length;
    const uint8_t *at = find_s5_package((const uint8_t *)(dsdt + 1), end);
    if (!at || at >= end)
        return false;
    at += 1 + (*at >> 6); // PkgLength: the lead byte tells how many follow
    at += 1;              // NumElements
    return read_integer(&at, end, type_a) && read_integer(&at, end, type_b);
}
