// The display on a linear RGB framebuffer: Multiboot2 Specification 2.0, 3.6.12.
#include "console/framebuffer.h"

#include <stdbool.h>

#include "console/font.h"

// From this size on, one pixel of the font takes two by two of the screen.
#define DOUBLED_WIDTH 1920
#define DOUBLED_ROWS  40

struct colour {
    uint8_t red, green, blue;
};

static const struct colour paper = {0x14, 0x18, 0x20};
static const struct colour ink = {0xD5, 0xDA, 0xE3};

static struct display display;
static const struct multiboot_tag_framebuffer *mode;
static volatile uint8_t *pixels;
static unsigned pixel_size; // bytes
static unsigned scale;
static uint32_t paper_pixel, ink_pixel;

// The @size highest bits of the eight of @value, at @position of a pixel.
static uint32_t channel(uint8_t value, unsigned position, unsigned size)
{
    return (uint32_t)(((uint64_t)value << 24 >> (32 - size)) << position);
}

static uint32_t encode(struct colour colour)
{
    return channel(colour.red, mode->red_position, mode->red_size) |
           channel(colour.green, mode->green_position, mode->green_size) |
           channel(colour.blue, mode->blue_position, mode->blue_size);
}

static volatile uint8_t *pixel_at(unsigned x, unsigned y)
{
    return pixels + (size_t)y * mode->pitch + (size_t)x * pixel_size;
}

static void store(volatile uint8_t *at, uint32_t pixel)
{
    switch (pixel_size) {
    case 4:
        *(volatile uint32_t *)at = pixel;
        break;
    case 3:
        at[0] = (uint8_t)pixel;
        at[1] = (uint8_t)(pixel >> 8);
        at[2] = (uint8_t)(pixel >> 16);
        break;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)pixel;
        break;
    }
}

static void map(void *memory)
{
    pixels = memory;
}

static void clear(void)
{
    for (unsigned y = 0; y < mode->height; y++) {
        for (unsigned x = 0; x < mode->width; x++)
            store(pixel_at(x, y), paper_pixel);
    }
}

static void draw(unsigned column, unsigned row, screen_cell cell)
{
    unsigned width = GLYPH_WIDTH * scale, height = GLYPH_HEIGHT * scale;
    const uint8_t *glyph = font_glyphs[cell & ~CELL_CURSOR];
    uint8_t invert = cell & CELL_CURSOR ? 0xFF : 0;
    for (unsigned y = 0; y < height; y++) {
        uint8_t line = glyph[y / scale] ^ invert;
        volatile uint8_t *at = pixel_at(column * width, row * height + y);
        for (unsigned x = 0; x < width; x++, at += pixel_size)
            store(at, line & (0x80 >> x / scale) ? ink_pixel : paper_pixel);
    }
}

const struct display *framebuffer_open(const struct multiboot_tag_framebuffer *tag)
{
    mode = tag;
    pixel_size = (tag->bits_per_pixel + 7) / 8;
    if (pixel_size < 2 || pixel_size > 4 || tag->width < GLYPH_WIDTH || tag->height < GLYPH_HEIGHT)
        return NULL;
    bool doubled = tag->width >= DOUBLED_WIDTH && tag->height / (2 * GLYPH_HEIGHT) >= DOUBLED_ROWS;
    scale = doubled ? 2 : 1;
    paper_pixel = encode(paper);
    ink_pixel = encode(ink);
    display = (struct display){
        .columns = tag->width / (GLYPH_WIDTH * scale),
        .rows = tag->height / (GLYPH_HEIGHT * scale),
        .map = map,
        .clear = clear,
        .draw = draw,
    };
    return &display;
}
