// The handlers of a storm: each accounts for its trap, and may dive.
#pragma once

/// Take the vectors that a storm uses, and give them back.
void handlers_take(void);
void handlers_give_back(void);
