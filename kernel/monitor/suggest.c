// Closeness of names: what they share at the start or inside, and the edit distance.
#include "monitor/suggest.h"

#include <stdbool.h>

#include "lib/minimum.h"
#include "lib/print.h"
#include "lib/string.h"

#define NAME_LIMIT  48
#define SUGGESTIONS 4

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

static bool is_close(const char *word, const char *name)
{
    size_t length = strlen(word);
    if (length >= NAME_LIMIT || strlen(name) >= NAME_LIMIT)
        return false;
    return (length >= 2 && contains(name, word)) || distance(word, name) <= 1 + length / 4;
}

void suggest(const char *word, const char *(*name_at)(size_t index))
{
    size_t found = 0;
    const char *name;
    for (size_t i = 0; found < SUGGESTIONS && (name = name_at(i)); i++) {
        if (!is_close(word, name))
            continue;
        print(found == 0 ? " Did you mean %s" : ", %s", name);
        found++;
    }
    if (found > 0)
        print("?");
}
