// The line editor: the keys of a terminal, on the serial line and on the keyboard alike.
#include "monitor/line.h"

#include <stdbool.h>

#include "devices/input.h"
#include "lib/print.h"
#include "lib/string.h"

#define CTRL(letter) (0x1F & (letter))
#define HISTORY_SIZE 16

static char history[HISTORY_SIZE][LINE_SIZE]; ///< the newest first
static size_t history_count;

struct editor {
    const char *prompt;
    char *line;
    size_t length, cursor;
    size_t recalled; ///< 0: the new line, n: the n-th newest of the history
    line_complete_fn *complete;
};

/// Draw the line anew and put the cursor where it belongs.
static void redraw(const struct editor *editor)
{
    print("\r%s%s\033[K", editor->prompt, editor->line);
    if (editor->cursor < editor->length)
        print("\033[%luD", editor->length - editor->cursor);
}

static void set_line(struct editor *editor, const char *text)
{
    editor->length = editor->cursor = strlen(text);
    memmove(editor->line, text, editor->length + 1);
    redraw(editor);
}

static void insert(struct editor *editor, char c)
{
    if (editor->length + 1 >= LINE_SIZE)
        return;
    char *at = editor->line + editor->cursor;
    memmove(at + 1, at, editor->length - editor->cursor + 1);
    *at = c;
    editor->length++;
    editor->cursor++;
    if (editor->cursor == editor->length)
        print("%c", c);
    else
        redraw(editor);
}

static void erase(struct editor *editor, size_t at)
{
    if (at >= editor->length)
        return;
    memmove(editor->line + at, editor->line + at + 1, editor->length - at);
    editor->length--;
    editor->cursor = at;
    redraw(editor);
}

static void move(struct editor *editor, size_t cursor)
{
    if (cursor > editor->length)
        return;
    editor->cursor = cursor;
    redraw(editor);
}

static void recall(struct editor *editor, size_t number)
{
    if (number > history_count)
        return;
    editor->recalled = number;
    set_line(editor, number == 0 ? "" : history[number - 1]);
}

/// The length of what all candidates that begin with @word have in common; one of them in @match.
static size_t common_start(const struct editor *editor, const char *before, const char *word,
                           const char **match, size_t *count)
{
    size_t common = 0;
    *count = 0;
    const char *candidate;
    for (size_t i = 0; (candidate = editor->complete(before, i)); i++) {
        if (strncmp(candidate, word, strlen(word)) != 0)
            continue;
        if ((*count)++ == 0) {
            *match = candidate;
            common = strlen(candidate);
        }
        for (size_t j = 0; j < common; j++)
            if (candidate[j] != (*match)[j])
                common = j;
    }
    return common;
}

static void list_candidates(const struct editor *editor, const char *before, const char *word)
{
    const char *candidate;
    size_t column = 0;
    print("\n");
    for (size_t i = 0; (candidate = editor->complete(before, i)); i++) {
        if (strncmp(candidate, word, strlen(word)) != 0)
            continue;
        print("%-26s", candidate);
        if (++column % 3 == 0)
            print("\n");
    }
    if (column % 3 != 0)
        print("\n");
    redraw(editor);
}

static void complete(struct editor *editor)
{
    char before[LINE_SIZE];
    size_t start = editor->cursor;
    if (editor->cursor != editor->length)
        return;
    while (start > 0 && editor->line[start - 1] != ' ' && editor->line[start - 1] != ';')
        start--;
    memcpy(before, editor->line, start);
    before[start] = '\0';

    const char *match = NULL;
    size_t count;
    const char *word = editor->line + start;
    size_t common = common_start(editor, before, word, &match, &count);
    if (count > 1 && common == strlen(word)) {
        list_candidates(editor, before, word);
        return;
    }
    for (size_t i = strlen(word); match && i < common; i++)
        insert(editor, match[i]);
    if (count == 1)
        insert(editor, ' ');
}

static void remember(const char *line)
{
    if (line[0] == '\0' || (history_count > 0 && strcmp(line, history[0]) == 0))
        return;
    memmove(history[1], history[0], sizeof(history) - sizeof(history[0]));
    memcpy(history[0], line, strlen(line) + 1);
    if (history_count < HISTORY_SIZE)
        history_count++;
}

static void handle(struct editor *editor, int key)
{
    switch (key) {
    case '\b':
        if (editor->cursor > 0)
            erase(editor, editor->cursor - 1);
        break;
    case KEY_DELETE:
    case CTRL('D'):
        erase(editor, editor->cursor);
        break;
    case KEY_LEFT:
    case CTRL('B'):
        move(editor, editor->cursor - 1);
        break;
    case KEY_RIGHT:
    case CTRL('F'):
        move(editor, editor->cursor + 1);
        break;
    case KEY_HOME:
    case CTRL('A'):
        move(editor, 0);
        break;
    case KEY_END:
    case CTRL('E'):
        move(editor, editor->length);
        break;
    case KEY_UP:
    case CTRL('P'):
        recall(editor, editor->recalled + 1);
        break;
    case KEY_DOWN:
    case CTRL('N'):
        recall(editor, editor->recalled - 1);
        break;
    case CTRL('U'):
        set_line(editor, "");
        break;
    case CTRL('K'):
        editor->line[editor->length = editor->cursor] = '\0';
        redraw(editor);
        break;
    case CTRL('L'):
        print("\033[H\033[J");
        redraw(editor);
        break;
    case '\t':
        complete(editor);
        break;
    default:
        if (key >= ' ' && key < 0x7F)
            insert(editor, (char)key);
    }
}

void line_read(const char *prompt, char *line, line_complete_fn *complete_fn)
{
    struct editor editor = {.prompt = prompt, .line = line, .complete = complete_fn};
    line[0] = '\0';
    print("%s", prompt);
    for (;;) {
        int key = input_get();
        if (key == '\n')
            break;
        handle(&editor, key);
    }
    print("\n");
    remember(line);
}
