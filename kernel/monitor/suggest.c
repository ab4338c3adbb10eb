// Closeness of names: what they share at the start or inside, and the edit distance.
#include "monitor/suggest.h"

#include <stdbool.h>

#include "lib/minimum.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/folded.h"
#include "monitor/line.h"

#define NAME_LIMIT  48
#define SUGGESTIONS 4
#define TEXT_SIZE   (LINE_SIZE + SUGGESTIONS * NAME_LIMIT + 80)

/// The Levenshtein distance of @a and @b, both shorter than NAME_LIMIT.
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_LIMIT];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = minimum(replaced, minimum(row[j], row[j - 1]) + 1);
        }
    }
    return row[width];
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++)
        if (strncmp(text, part, length) == 0)
            return true;
    return false;
}

static bool is_part(const char *word, const char *name)
{
    return strlen(word) >= 2 && contains(name, word);
}

static bool is_alike(const char *word, const char *name)
{
    size_t length = strlen(word);
    if (length >= NAME_LIMIT || strlen(name) >= NAME_LIMIT)
        return false;
    return !is_part(word, name) && distance(word, name) <= 1 + length / 4;
}

void suggest(const char *kind, const char *word, const char *(*name_at)(size_t index),
             const char *lists)
{
    static char text[TEXT_SIZE];
    size_t length = print_to(text, sizeof(text), "There is no %s \"%s\".", kind, word);
    size_t found = 0;
    for (unsigned by_letters = 0; by_letters < 2; by_letters++) {
        const char *name;
        for (size_t at = 0; found < SUGGESTIONS && (name = name_at(at)); at++) {
            if (by_letters ? !is_alike(word, name) : !is_part(word, name))
                continue;
            length += print_to(text + length, sizeof(text) - length,
                               found == 0 ? " Did you mean %s" : ", %s", name);
            found++;
        }
    }
    print_to(text + length, sizeof(text) - length, "%s %s", found > 0 ? "?" : "", lists);
    folded_print(text, 0);
}
