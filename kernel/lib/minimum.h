// The smaller of two numbers.
#pragma once

#include <stddef.h>

static inline size_t minimum(size_t a, size_t b)
{
    return a < b ? a : b;
}
