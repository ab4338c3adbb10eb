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

// The display takes eight bytes as fast as one, wherever they lie. A pixel has four at most, and
// each of a glyph's is drawn two by two at most.
typedef uint64_t __attribute__((aligned(1))) quadword;
#define STRIP_QUADWORDS_MAX (GLYPH_WIDTH * 4 * 2 / sizeof(quadword))

static quadword strips[256][STRIP_QUADWORDS_MAX]; // each byte of a glyph as the display has it
static unsigned strip_quadwords;                  // how much of each is used

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
    for (unsigned i = 0; i < pixel_size; i++)
        at[i] = (uint8_t)(pixel >> 8 * i);
}

static void store_strip(volatile uint8_t *at, uint8_t line)
{
    for (unsigned i = 0; i < strip_quadwords; i++)
        ((volatile quadword *)at)[i] = strips[line][i];
}

static void make_strips(void)
{
    unsigned width = GLYPH_WIDTH * scale;
    uint32_t paper_pixel = encode(paper), ink_pixel = encode(ink);
    strip_quadwords = width * pixel_size / sizeof(quadword);
    for (unsigned line = 0; line < 256; line++) {
        uint8_t *at = (uint8_t *)strips[line];
        for (unsigned x = 0; x < width; x++, at += pixel_size)
            store(at, line & (0x80 >> x / scale) ? ink_pixel : paper_pixel);
    }
}

static void map(void *memory)
{
    pixels = memory;
}

static void clear(void)
{
    unsigned width = GLYPH_WIDTH * scale;
    for (unsigned y = 0; y < mode->height; y++) {
        unsigned x = 0;
        for (; x + width <= mode->width; x += width)
            store_strip(pixel_at(x, y), 0);
        for (; x < mode->width; x++)
            store(pixel_at(x, y), encode(paper));
    }
}

static void draw(unsigned column, unsigned row, screen_cell cell)
{
    const uint8_t *glyph = font_glyphs[cell & ~CELL_CURSOR];
    uint8_t invert = cell & CELL_CURSOR ? 0xFF : 0;
    volatile uint8_t *at = pixel_at(column * GLYPH_WIDTH * scale, row * GLYPH_HEIGHT * scale);
    for (unsigned line = 0; line < GLYPH_HEIGHT; line++)
        for (unsigned i = 0; i < scale; i++, at += mode->pitch)
            store_strip(at, glyph[line] ^ invert);
}

const struct display *framebuffer_open(const struct multiboot_tag_framebuffer *tag)
{
    mode = tag;
    pixel_size = (tag->bits_per_pixel + 7) / 8;
    if (pixel_size < 2 || pixel_size > 4 || tag->width < GLYPH_WIDTH || tag->height < GLYPH_HEIGHT)
        return NULL;
    bool doubled = tag->width >= DOUBLED_WIDTH && tag->height / (2 * GLYPH_HEIGHT) >= DOUBLED_ROWS;
    scale = doubled ? 2 : 1;
    make_strips();
    display = (struct display){
        .columns = tag->width / (GLYPH_WIDTH * scale),
        .rows = tag->height / (GLYPH_HEIGHT * scale),
        .map = map,
        .clear = clear,
        .draw = draw,
    };
    return &display;
}
