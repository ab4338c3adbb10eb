// The catalogue in words: its groups, and the entries that somebody looks for.
#include "monitor/list.h"

#include <stdbool.h>

#include "faults/catalogue.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/fault_commands.h"
#include "monitor/pager.h"

#define GROUP_COLUMNS 5
#define NAME_COLUMNS  25
#define COLUMNS       80

/// The length of the first word of @name: all entries with the same one are a group.
static size_t group_length(const char *name)
{
    size_t length = 0;
    while (name[length] && name[length] != '-')
        length++;
    return length;
}

static bool is_same_group(const struct fault *a, const struct fault *b)
{
    size_t length = group_length(a->name);
    return length == group_length(b->name) && strncmp(a->name, b->name, length) == 0;
}

/// How many entries have the group of @fault; 0 if it is not the first of them.
static size_t group_size(const struct fault *fault)
{
    size_t size = 0;
    for (const struct fault *other = fault_first(); other < fault_end(); other++) {
        if (!is_same_group(fault, other))
            continue;
        if (other < fault)
            return 0;
        size++;
    }
    return size;
}

static void list_groups(void)
{
    size_t column = 0;
    print("%lu faults, by the first word of their names:\n", fault_end() - fault_first());
    for (const struct fault *fault = fault_first(); fault < fault_end(); fault++) {
        size_t size = group_size(fault);
        if (size == 0)
            continue;
        print("  %-9.*s%4lu", (int)group_length(fault->name), fault->name, size);
        if (++column % GROUP_COLUMNS == 0)
            print("\n");
    }
    if (column % GROUP_COLUMNS != 0)
        print("\n");
    print("`list pf` names those with this word in their names, `list ring3` those of\n"
          "ring 3, `list pf ring3` those that both fit, `list all` every one, and\n"
          "`list *` those that are not seen here as the architecture has them.\n");
}

/// Whether one of the words of @name begins with the @length characters of @word.
static bool has_word(const char *name, const char *word, size_t length)
{
    for (const char *at = name; *at; at++)
        if ((at == name || at[-1] == '-') && strncmp(at, word, length) == 0)
            return true;
    return false;
}

static bool is_word(const char *word, size_t length, const char *name)
{
    return length == strlen(name) && strncmp(word, name, length) == 0;
}

static bool fits_word(const struct fault *fault, const char *word, size_t length)
{
    if (is_word(word, length, "all"))
        return true;
    if (is_word(word, length, "*"))
        return !fault_is_seen_here(fault);
    if (is_word(word, length, "ring0") || is_word(word, length, "ring3"))
        return fault->ring == (unsigned)(word[4] - '0');
    return has_word(fault->name, word, length);
}

static bool fits(const struct fault *fault, const char *words)
{
    while (*words) {
        size_t length = 0;
        while (words[length] && words[length] != ' ')
            length++;
        if (length > 0 && !fits_word(fault, words, length))
            return false;
        words += length + (words[length] == ' ');
    }
    return true;
}

/// In one row; in two, if a person's own entry has a long name. Returns false if the person at the
/// terminal has had enough.
static bool list_fault(const struct fault *fault, bool is_here)
{
    size_t length = strlen(fault->name);
    size_t width = length > NAME_COLUMNS ? length : NAME_COLUMNS;
    bool is_wide = width + strlen("* ") + strlen(" ring 0  ") + strlen(fault->summary) > COLUMNS;
    if (!pager_room(is_wide ? 2 : 1))
        return false;
    print("%c %-*s ring %u  %s%s\n", is_here ? ' ' : '*', NAME_COLUMNS, fault->name, fault->ring,
          is_wide ? "\n      " : "", fault->summary);
    return true;
}

void command_list(char *words)
{
    bool any = false, any_elsewhere = false;
    if (words[0] == '\0') {
        list_groups();
        return;
    }
    for (const struct fault *fault = fault_first(); fault < fault_end(); fault++) {
        if (!fits(fault, words))
            continue;
        bool is_here = fault_is_seen_here(fault);
        any = true;
        any_elsewhere |= !is_here;
        if (!list_fault(fault, is_here))
            return;
    }
    if (!any) {
        print("No fault fits \"%s\". `list` tells the words that there are.\n", words);
        command_failed();
    }
    if (any_elsewhere && pager_room(1))
        print("* not always seen here as the architecture has it; `raise` tells why, and where.\n");
}
