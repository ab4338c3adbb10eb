// The display on an EGA text buffer: a character and its attribute in two bytes a cell. Names are
// those of the IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem".
#include "console/vga.h"

#include "cpu/x86.h"

// The attribute byte: background in the upper half, foreground in the lower.
#define ATTRIBUTE_NORMAL  0x07 // light grey on black
#define ATTRIBUTE_REVERSE 0x70

#define CRTC_ADDRESS      0x3D4
#define CRTC_DATA         0x3D5
#define CRTC_CURSOR_START 0x0A
#define CURSOR_OFF        0x20

static struct display display;
static const struct multiboot_tag_framebuffer *mode;
static volatile uint8_t *buffer;

static void map(void *memory)
{
    buffer = memory;
}

static void draw(unsigned column, unsigned row, screen_cell cell)
{
    uint16_t attribute = cell & CELL_CURSOR ? ATTRIBUTE_REVERSE : ATTRIBUTE_NORMAL;
    volatile uint8_t *at = buffer + (size_t)row * mode->pitch + (size_t)column * 2;
    *(volatile uint16_t *)at = (uint16_t)(attribute << 8 | (cell & ~CELL_CURSOR));
}

static void clear(void)
{
    for (unsigned row = 0; row < display.rows; row++) {
        for (unsigned column = 0; column < display.columns; column++)
            draw(column, row, ' ');
    }
}

// The cursor of the adapter is slow to move and hard to see; the grid's own one takes its place.
static void hide_cursor(void)
{
    outb(CRTC_ADDRESS, CRTC_CURSOR_START);
    outb(CRTC_DATA, CURSOR_OFF);
}

const struct display *vga_open(const struct multiboot_tag_framebuffer *tag)
{
    mode = tag;
    hide_cursor();
    display = (struct display){
        .columns = tag->width,
        .rows = tag->height,
        .map = map,
        .clear = clear,
        .draw = draw,
    };
    return &display;
}
