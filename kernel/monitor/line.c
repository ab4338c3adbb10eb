// The line editor: the keys of a terminal, on the serial line and on the keyboard alike. A line
// that is wider than the terminal scrolls sideways, so that nothing ever wraps.
#include "monitor/line.h"

#include <stdbool.h>

#include "devices/input.h"
#include "lib/minimum.h"
#include "lib/print.h"
#include "lib/string.h"

#define CTRL(letter)     (0x1F & (letter))
#define HISTORY_SIZE     16
#define TERMINAL_COLUMNS 80

static char history[HISTORY_SIZE][LINE_SIZE];
static size_t history_count; ///< of all lines so far; the n-th one is at n % HISTORY_SIZE

struct editor {
    const char *prompt;
    char *line;
    size_t length, cursor;
    size_t left;     ///< how many characters are scrolled out of view
    bool lost;       ///< a part of the line found no room
    size_t recalled; ///< 0: the new line, n: the n-th newest of the history
    line_complete_fn *complete;
};

/// The columns for the line: behind the prompt, and one is left to the cursor at the line's end.
static size_t view_width(const struct editor *editor)
{
    return TERMINAL_COLUMNS - 1 - strlen(editor->prompt);
}

/// Scroll by half a view if the cursor is out of it, or on the sign that there is more.
static void scroll(struct editor *editor)
{
    size_t width = view_width(editor);
    size_t first = editor->left + (editor->left > 0);
    size_t last = editor->left + width - (editor->left + width < editor->length ? 2 : 0);
    if (editor->length <= width)
        editor->left = 0;
    else if (editor->cursor < first || editor->cursor > last)
        editor->left = editor->cursor - minimum(editor->cursor, width / 2);
}

/// Draw the line anew, with a sign at each end where there is more of it, and put the cursor where
/// it belongs.
static void redraw(struct editor *editor)
{
    scroll(editor);
    size_t right = minimum(editor->left + view_width(editor), editor->length);
    bool more_left = editor->left > 0, more_right = right < editor->length;
    size_t from = editor->left + more_left, to = right - more_right;
    print("\r%s%s%.*s%s\033[K", editor->prompt, more_left ? "<" : "", (int)(to - from),
          editor->line + from, more_right ? ">" : "");
    if (editor->cursor < right)
        print("\033[%luD", right - editor->cursor);
}

static void set_line(struct editor *editor, const char *text)
{
    editor->length = editor->cursor = strlen(text);
    memmove(editor->line, text, editor->length + 1);
    redraw(editor);
}

static void insert(struct editor *editor, char c)
{
    if (editor->length + 1 >= LINE_SIZE) {
        editor->lost = true;
        return;
    }
    char *at = editor->line + editor->cursor;
    memmove(at + 1, at, editor->length - editor->cursor + 1);
    *at = c;
    editor->length++;
    editor->cursor++;
    if (editor->cursor == editor->length && editor->cursor <= editor->left + view_width(editor))
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
    if (number > minimum(history_count, HISTORY_SIZE))
        return;
    editor->recalled = number;
    set_line(editor, number == 0 ? "" : history[(history_count - number) % HISTORY_SIZE]);
}

/// The length of what all candidates for the word at @start have in common; one of them in @match.
static size_t common_start(const struct editor *editor, size_t start, const char **match,
                           size_t *count)
{
    size_t common = 0;
    const char *word = editor->line + start;
    *count = 0;
    const char *candidate;
    for (size_t i = 0; (candidate = editor->complete(editor->line, start, i)); i++) {
        if (strncmp(candidate, word, editor->length - start) != 0)
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

static void list_candidates(struct editor *editor, size_t start)
{
    const char *word = editor->line + start;
    const char *candidate;
    size_t column = 0;
    print("\n");
    for (size_t i = 0; (candidate = editor->complete(editor->line, start, i)); i++) {
        if (strncmp(candidate, word, editor->length - start) != 0)
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
    size_t start = editor->cursor;
    if (editor->cursor != editor->length)
        return;
    while (start > 0 && editor->line[start - 1] != ' ' && editor->line[start - 1] != ';')
        start--;

    const char *match = NULL;
    size_t count;
    size_t typed = editor->length - start;
    size_t common = common_start(editor, start, &match, &count);
    if (count > 1 && common == typed) {
        list_candidates(editor, start);
        return;
    }
    for (size_t i = typed; match && i < common; i++)
        insert(editor, match[i]);
    if (count == 1)
        insert(editor, ' ');
}

static void remember(const char *line)
{
    const char *newest = history[(history_count - 1) % HISTORY_SIZE];
    if (line[0] == '\0' || (history_count > 0 && strcmp(line, newest) == 0))
        return;
    memcpy(history[history_count++ % HISTORY_SIZE], line, strlen(line) + 1);
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
    case KEY_LOST:
        editor->lost = true;
        break;
    default:
        if (key >= ' ' && key < 0x7F)
            insert(editor, (char)key);
    }
}

enum line_end line_read(const char *prompt, char *line, line_complete_fn *complete_fn)
{
    struct editor editor = {.prompt = prompt, .line = line, .complete = complete_fn};
    line[0] = '\0';
    print("%s", prompt);
    int key;
    while ((key = input_get()) != KEY_ENTER && key != '\n')
        handle(&editor, key);
    print("\n");
    if (editor.lost)
        return LINE_LOST;
    remember(line);
    return key == KEY_ENTER ? LINE_TYPED : LINE_FILED;
}
