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

/// What is done from now on is the command @text.
void command_begin(const char *text);

/// Something went wrong with it that the host must be told when the machine ends.
void command_failed(void);

/// Say that the command @takes something else than @argument, which may be missing. It has failed.
void command_refuse(const char *takes, const char *argument);

/// Say which went wrong, if any, before the machine ends: not every emulator can pass a status on,
/// and a reset has none.
void command_tell_failed(void);
