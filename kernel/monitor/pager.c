// Counts the rows that have been asked for. Who types ahead, or pastes, waits for nothing.
#include "monitor/pager.h"

#include "devices/input.h"
#include "lib/print.h"

#define TERMINAL_ROWS 24

static bool stops;
static size_t rows_shown;

void pager_start(bool is_person)
{
    stops = is_person;
    rows_shown = 1; // the line itself
}

bool pager_room(size_t rows)
{
    rows_shown += rows;
    if (rows_shown < TERMINAL_ROWS)
        return true;
    bool goes_on = pager_stop("more");
    rows_shown = rows;
    return goes_on;
}

bool pager_stop(const char *what)
{
    rows_shown = 0;
    if (!stops || input_is_pending())
        return true;
    print("-- %s: any key, q ends it --", what);
    int key = input_get();
    print("\r\033[K");
    return key != 'q' && key != 'Q';
}
