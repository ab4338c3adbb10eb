// Formatted text to the console and into buffers.
#pragma once

#include <stdarg.h>
#include <stddef.h>

/// Takes @length bytes of @text to wherever people read it.
typedef void print_output_fn(const char *text, size_t length);

/// Let print() hand its text to @fn. What was printed before is lost.
void print_init(print_output_fn *fn);

/// Print to the console. Conversions: %s %c %d %u %x %%, `l` and `z` for 64-bit integers, `0`
/// and `-` flags, a width, and a precision for %s, each of them a number or `*`. Anything else is
/// printed as it stands.
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// The same into @buffer of @size bytes, always terminated. Returns the length written.
size_t print_to(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// The same as print_to() with the arguments in @arguments.
size_t print_to_v(char *buffer, size_t size, const char *format, va_list arguments);
