// Whether an event went as the contract of asm/entry.asm says.
#pragma once

#include <stdbool.h>

#include "event.h"

/// After event_raise(): print every point in which it went wrong. Returns whether there was none.
bool check_event(const struct event *event);

/// The same for the way to C alone, if the way back has crashed.
bool check_dispatch(const struct event *event);
