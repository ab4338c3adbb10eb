// The monitor's commands.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct command {
    const char *name;
    enum { TAKES_NOTHING, TAKES_FAULT, TAKES_NUMBER, TAKES_CPU } takes;
    const char *usage; ///< the argument, as `help` shows it
    const char *help;
    void (*run)(char *argument); ///< @argument: without spaces around it, "" for none
};

extern const struct command commands[];
extern const size_t command_count;

/// Read @text, decimal, or hexadecimal after 0x. Returns false if it is no number below @limit.
bool parse_number(const char *text, unsigned limit, unsigned *number);

/// Something went wrong that the host must be told when the machine ends.
void command_failed(void);

/// Say so, if something went wrong, before the machine ends: not every emulator can pass a status
/// on, and a reset has none.
void command_tell_failed(void);
