// The formatter behind print(): one pass over the format, one character sink.
#include "lib/print.h"

#include <stdbool.h>
#include <stdint.h>

#include "lib/string.h"

static print_output_fn *output;

/// Where formatted text goes: a buffer that is full or flushed, as the owner decides.
struct sink {
    char *buffer;
    size_t size, used;
    bool to_output;
};

/// One conversion specification between '%' and its letter.
struct conversion {
    bool left, zero, is_long;
    int width, precision; ///< precision -1: none
};

static void flush(struct sink *sink)
{
    if (output)
        output(sink->buffer, sink->used);
    sink->used = 0;
}

static void put(struct sink *sink, char c)
{
    if (sink->to_output && sink->used == sink->size)
        flush(sink);
    if (sink->used < sink->size)
        sink->buffer[sink->used++] = c;
}

static void put_padded(struct sink *sink, const char *text, size_t length,
                       const struct conversion *conversion)
{
    size_t width = conversion->width > 0 ? (size_t)conversion->width : 0;
    size_t padding = width > length ? width - length : 0;
    char pad = conversion->zero && !conversion->left ? '0' : ' ';
    if (pad == '0' && length > 0 && text[0] == '-') {
        put(sink, '-');
        text++;
        length--;
    }
    for (size_t i = 0; !conversion->left && i < padding; i++)
        put(sink, pad);
    for (size_t i = 0; i < length; i++)
        put(sink, text[i]);
    for (size_t i = 0; conversion->left && i < padding; i++)
        put(sink, ' ');
}

static void put_number(struct sink *sink, uint64_t value, unsigned base, bool negative,
                       const struct conversion *conversion)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        digits[--at] = '-';
    put_padded(sink, digits + at, sizeof(digits) - at, conversion);
}

static int parse_digits(const char **format)
{
    int number = 0;
    while (**format >= '0' && **format <= '9')
        number = number * 10 + *(*format)++ - '0';
    return number;
}

static struct conversion parse_conversion(const char **format, va_list *arguments)
{
    struct conversion conversion = {.precision = -1};
    for (;; ++*format) {
        if (**format == '-')
            conversion.left = true;
        else if (**format == '0')
            conversion.zero = true;
        else
            break;
    }
    if (**format == '*') {
        ++*format;
        conversion.width = va_arg(*arguments, int);
    } else {
        conversion.width = parse_digits(format);
    }
    if (**format == '.') {
        ++*format;
        if (**format == '*') {
            ++*format;
            conversion.precision = va_arg(*arguments, int);
        } else {
            conversion.precision = parse_digits(format);
        }
    }
    while (**format == 'l' || **format == 'z') {
        ++*format;
        conversion.is_long = true;
    }
    return conversion;
}

static void put_conversion(struct sink *sink, const char **format, va_list *arguments)
{
    const char *start = *format;
    struct conversion conversion = parse_conversion(format, arguments);
    char letter = *(*format)++;
    switch (letter) {
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        size_t length = 0;
        while ((conversion.precision < 0 || length < (size_t)conversion.precision) && text[length])
            length++;
        put_padded(sink, text, length, &conversion);
        break;
    }
    case 'c':
        put(sink, (char)va_arg(*arguments, int));
        break;
    case 'd': {
        int64_t value = conversion.is_long ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
        put_number(sink, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0,
                   &conversion);
        break;
    }
    case 'u':
    case 'x': {
        uint64_t value =
            conversion.is_long ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
        put_number(sink, value, letter == 'x' ? 16 : 10, false, &conversion);
        break;
    }
    case '%':
        put(sink, '%');
        break;
    default:
        put(sink, '%');
        *format = start;
    }
}

static void format_into(struct sink *sink, const char *format, va_list arguments)
{
    va_list list;
    va_copy(list, arguments);
    while (*format) {
        char c = *format++;
        if (c == '%')
            put_conversion(sink, &format, &list);
        else
            put(sink, c);
    }
    va_end(list);
}

void print_init(print_output_fn *fn)
{
    output = fn;
}

void print(const char *format, ...)
{
    char buffer[128];
    struct sink sink = {.buffer = buffer, .size = sizeof(buffer), .to_output = true};
    va_list arguments;
    va_start(arguments, format);
    format_into(&sink, format, arguments);
    va_end(arguments);
    flush(&sink);
}

size_t print_to_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {.buffer = buffer, .size = size - 1};
    format_into(&sink, format, arguments);
    buffer[sink.used] = '\0';
    return sink.used;
}

size_t print_to(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = print_to_v(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
