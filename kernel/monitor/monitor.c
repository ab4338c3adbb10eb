// The prompt: splitting lines into commands, finding them, completing and suggesting names.
#include "monitor/monitor.h"

#include <stdbool.h>

#include "faults/catalogue.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/line.h"
#include "monitor/pager.h"
#include "monitor/suggest.h"
#include "monitor/words.h"

static const char *command_name(size_t index)
{
    return index < command_count ? commands[index].name : NULL;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void strip_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
}

static void run_command(char *text)
{
    command_begin(text);
    const char *name = cut_word(&text);
    strip_end(text);
    if (name[0] == '\0')
        return;
    const struct command *command = find_command(name);
    if (command == NULL) {
        suggest("command", name, command_name, "`help` lists them all.");
        command_failed();
    } else if (command->takes == TAKES_NOTHING && text[0]) {
        print("`%s` takes no argument, got \"%s\".\n", name, text);
        command_failed();
    } else {
        command->run(text);
    }
}

void monitor_run(char *line)
{
    char *rest = line;
    while (rest) {
        char *command = rest;
        rest = NULL;
        for (char *c = command; *c; c++) {
            if (*c == ';') {
                *c = '\0';
                rest = c + 1;
                break;
            }
        }
        run_command(command);
    }
}

/// A command in the first place, behind it what that command takes.
static const char *complete(const char *line, size_t length, size_t index)
{
    char copy[16]; // a command's name and a space
    size_t start = length;
    while (start > 0 && line[start - 1] != ';')
        start--;
    while (start < length && line[start] == ' ')
        start++;
    if (start == length)
        return command_name(index);
    if (length - start >= sizeof(copy))
        return NULL;
    print_to(copy, sizeof(copy), "%.*s", (int)(length - start), line + start);
    char *rest = copy;
    const struct command *command = find_command(cut_word(&rest));
    return command && command->takes == TAKES_FAULT && rest[0] == '\0' ? fault_name(index) : NULL;
}

void monitor(void)
{
    static char line[LINE_SIZE];
    for (;;) {
        enum line_end end = line_read("barestub> ", line, complete);
        pager_start(end == LINE_TYPED);
        if (end == LINE_LOST) {
            command_begin("a line that is too long");
            print("This line is longer than the %u characters that fit. Nothing of it was run.\n",
                  LINE_SIZE - 1);
            command_failed();
        } else {
            monitor_run(line);
        }
    }
}
