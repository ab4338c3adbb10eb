// Lines are broken at spaces. What has none, and is longer than a line, is left to the terminal.
#include "monitor/folded.h"

#include "lib/print.h"

#define COLUMNS 80

void folded_print(const char *text, size_t indent)
{
    size_t column = 0;
    while (*text) {
        size_t gap = 0;
        while (text[gap] == ' ')
            gap++;
        size_t length = gap;
        while (text[length] && text[length] != ' ')
            length++;
        if (column > 0 && column + length > COLUMNS) {
            print("\n%*s", (int)indent, "");
            column = indent;
            text += gap;
            length -= gap;
        }
        print("%.*s", (int)length, text);
        column += length;
        text += length;
    }
    print("\n");
}
