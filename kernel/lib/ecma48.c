// The parser of control sequences.
#include "lib/ecma48.h"

#define ESC 0x1B

// The bytes of a control sequence: ECMA-48, 5.4.
#define INTERMEDIATE_FIRST 0x20
#define FINAL_FIRST        0x40
#define FINAL_LAST         0x7E

#define PARAMETER_LIMIT 10000 // above any screen; further digits change nothing

static enum ecma48_event feed_escape(struct ecma48 *parser, uint8_t byte)
{
    // Cursor keys in application mode send SS3 (ESC O) with the same final bytes as CSI (ESC [).
    if (byte != '[' && byte != 'O') {
        parser->state = ECMA48_TEXT;
        return ECMA48_CHARACTER;
    }
    parser->state = ECMA48_CONTROL;
    parser->parameter = 0;
    return ECMA48_PARTIAL;
}

static enum ecma48_event feed_control(struct ecma48 *parser, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        if (parser->parameter < PARAMETER_LIMIT)
            parser->parameter = parser->parameter * 10 + (byte - '0');
        return ECMA48_PARTIAL;
    }
    if (byte >= INTERMEDIATE_FIRST && byte < FINAL_FIRST) {
        parser->parameter = 0;
        return ECMA48_PARTIAL;
    }
    parser->state = ECMA48_TEXT;
    return byte >= FINAL_FIRST && byte <= FINAL_LAST ? ECMA48_SEQUENCE : ECMA48_CHARACTER;
}

enum ecma48_event ecma48_feed(struct ecma48 *parser, uint8_t byte)
{
    if (byte == ESC) {
        parser->state = ECMA48_ESCAPE;
        return ECMA48_PARTIAL;
    }
    switch (parser->state) {
    case ECMA48_ESCAPE:
        return feed_escape(parser, byte);
    case ECMA48_CONTROL:
        return feed_control(parser, byte);
    default:
        return ECMA48_CHARACTER;
    }
}
