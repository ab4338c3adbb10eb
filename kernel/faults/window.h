// A page that is now one frame and now another: for what a change of translation does to other
// CPUs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Lead the window to its other frame, or back to its own, for this CPU: see shootdown().
void window_change(bool to_other);

/// Have this CPU forget where the window leads.
void window_forget(void);

/// Whether this CPU reads the other frame in the window.
bool window_is_other(void);
