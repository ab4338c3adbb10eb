// Control sequences as terminals send and understand them: ESC [ <number> <final byte>. One
// parser for both directions, the keys of a serial terminal and the text for the screen.
#pragma once

#include <stdint.h>

/// One stream's parser; all zero to start.
struct ecma48 {
    enum { ECMA48_TEXT, ECMA48_ESCAPE, ECMA48_CONTROL } state;
    unsigned parameter; ///< the last number of the sequence, 0 if it has none
};

enum ecma48_event {
    ECMA48_CHARACTER, ///< the byte belongs to no sequence
    ECMA48_PARTIAL,   ///< the byte is part of a sequence that goes on
    ECMA48_SEQUENCE,  ///< the byte is the final one; `parameter` holds the number
};

/// Take the next @byte of the stream of @parser and tell what it is. A byte that cannot go on
/// with a sequence ends it and stands for itself. ECMA-48, 5.4.
enum ecma48_event ecma48_feed(struct ecma48 *parser, uint8_t byte);
