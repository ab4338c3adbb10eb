// The words of `storm`.
#include "monitor/storm_command.h"

#include <stdbool.h>
#include <stdint.h>

#include "lib/print.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/words.h"
#include "storm/report.h"
#include "storm/storm.h"

#define SECONDS 5
#define SEED    1

/// Read "[N [traps]] [SEED]".
static bool parse(char *words, struct storm_length *length, unsigned *seed)
{
    unsigned number = SECONDS;
    char *word = cut_word(&words);
    if (word[0] && !parse_number(word, UINT32_MAX, &number))
        return false;
    *length = (struct storm_length){.traps = UINT64_MAX, .seconds = number};
    word = cut_word(&words);
    if (strcmp(word, "traps") == 0) {
        *length = (struct storm_length){.traps = number};
        word = cut_word(&words);
    }
    *seed = SEED;
    if (word[0] && !parse_number(word, UINT32_MAX, seed))
        return false;
    return number > 0 && words[0] == '\0';
}

void command_storm(char *argument)
{
    struct storm_length length;
    unsigned seed;
    if (!parse(argument, &length, &seed)) {
        print("`storm` takes a number of seconds, or of traps, and a seed, below %u:\n"
              "`storm 10`, `storm 1000000 traps`, `storm 10 7`.\n",
              UINT32_MAX);
        command_failed();
        return;
    }
    if (!storm_report(storm_run(length, seed)))
        command_failed();
}
