// The text screen: a grid of characters with a cursor that scrolls, shown on a linear framebuffer
// or on an EGA text buffer, whichever the boot loader set up.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// One character of the screen: ASCII, with CELL_CURSOR added where the cursor stands.
typedef uint8_t screen_cell;
#define CELL_CURSOR 0x80

/// What the grid is shown on. All but `columns` and `rows` is called by screen.c alone.
struct display {
    unsigned columns, rows;
    void (*map)(void *memory); ///< tells where the display's memory is from now on
    void (*clear)(void);       ///< fills all of it with background
    void (*draw)(unsigned column, unsigned row, screen_cell cell);
};

/// Open the display that the boot loader told of and show it through its physical address, which
/// the boot mapping reaches below 4 GiB. Above, the text is kept until screen_remap().
void screen_init_early(void);

/// The boot mapping goes: keep the text until screen_remap().
void screen_detach(void);

/// Reach the display through the kernel's page tables, once they are in use.
void screen_remap(void);

/// Show @length bytes of ASCII @text. Understands \n \r \b \t and of ECMA-48, 8.3: CUF, CUB, CUP to
/// the first position, ED (0 and 2) and EL (0). Does nothing without a display.
void screen_write(const char *text, size_t length);
