// Taking a line apart.
#include "monitor/words.h"

char *cut_word(char **text)
{
    char *word = *text;
    while (*word == ' ')
        word++;
    char *end = word;
    while (*end && *end != ' ')
        end++;
    char *rest = end;
    while (*rest == ' ')
        rest++;
    *end = '\0';
    *text = rest;
    return word;
}
