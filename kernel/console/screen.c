// The text screen: keeps the grid and interprets the text. The display's memory is slow and never
// read, so the grid is kept twice, and only the cells that differ are drawn.
#include "console/screen.h"

#include <stdbool.h>

#include "boot/bootinfo.h"
#include "console/framebuffer.h"
#include "console/vga.h"
#include "cpu/paging.h"
#include "lib/ecma48.h"
#include "lib/minimum.h"
#include "lib/print.h"
#include "lib/string.h"

#define COLUMNS_MAX 320
#define ROWS_MAX    128
#define TAB_WIDTH   8

static const struct display *display;
static unsigned columns, rows;
static bool reachable; // whether the display's memory is mapped
static bool cleared;   // whether it shows what `shown` says

static screen_cell cells[ROWS_MAX][COLUMNS_MAX]; // what is to be seen
static screen_cell shown[ROWS_MAX][COLUMNS_MAX]; // what the display shows
static bool dirty[ROWS_MAX];                     // where they may differ

// The cursor. A full line leaves it right of the last column: only a further character wraps, so
// that a line of exactly the screen's width is not followed by an empty one.
static unsigned cursor_column, cursor_row;

static void clear_cells(unsigned row, unsigned column)
{
    memset(&cells[row][column], ' ', columns - column);
    dirty[row] = true;
}

static void clear_rows(unsigned first)
{
    for (unsigned row = first; row < rows; row++)
        clear_cells(row, 0);
}

static void scroll(void)
{
    memmove(cells[0], cells[1], (rows - 1) * sizeof(cells[0]));
    memset(dirty, true, rows);
    clear_cells(rows - 1, 0);
}

static void new_line(void)
{
    cursor_column = 0;
    if (cursor_row + 1 < rows)
        cursor_row++;
    else
        scroll();
}

static void put_cell(char character)
{
    if (cursor_column == columns)
        new_line();
    cells[cursor_row][cursor_column++] = (screen_cell)character;
    dirty[cursor_row] = true;
}

static void put_character(char character)
{
    switch (character) {
    case '\n':
        new_line();
        break;
    case '\r':
        cursor_column = 0;
        break;
    case '\b':
        cursor_column -= cursor_column > 0;
        break;
    case '\t':
        cursor_column = minimum((cursor_column / TAB_WIDTH + 1) * TAB_WIDTH, columns - 1);
        break;
    default:
        if (character >= ' ' && character <= '~')
            put_cell(character);
    }
}

static void erase_in_page(unsigned parameter)
{
    if (parameter == 2) {
        clear_rows(0);
    } else {
        clear_cells(cursor_row, cursor_column);
        clear_rows(cursor_row + 1);
    }
}

static void control(char final, unsigned parameter)
{
    unsigned distance = parameter ? parameter : 1;
    switch (final) {
    case 'C': // CUF
        cursor_column += minimum(distance, columns - 1 - minimum(cursor_column, columns - 1));
        break;
    case 'D': // CUB
        cursor_column -= minimum(distance, cursor_column);
        break;
    case 'H': // CUP
        cursor_column = 0;
        cursor_row = 0;
        break;
    case 'J': // ED
        erase_in_page(parameter);
        break;
    case 'K': // EL
        clear_cells(cursor_row, cursor_column);
        break;
    }
}

static screen_cell cell_with_cursor(unsigned column, unsigned row)
{
    bool cursor = row == cursor_row && column == minimum(cursor_column, columns - 1);
    return cursor ? cells[row][column] | CELL_CURSOR : cells[row][column];
}

static void refresh_row(unsigned row)
{
    for (unsigned column = 0; column < columns; column++) {
        screen_cell cell = cell_with_cursor(column, row);
        if (shown[row][column] == cell)
            continue;
        display->draw(column, row, cell);
        shown[row][column] = cell;
    }
}

static void refresh(void)
{
    if (!reachable)
        return;
    for (unsigned row = 0; row < rows; row++) {
        if (dirty[row])
            refresh_row(row);
        dirty[row] = false;
    }
}

void screen_write(const char *text, size_t length)
{
    static struct ecma48 parser;
    if (!display)
        return;
    dirty[cursor_row] = true; // the cursor leaves this row ...
    for (size_t i = 0; i < length; i++) {
        switch (ecma48_feed(&parser, (uint8_t)text[i])) {
        case ECMA48_CHARACTER:
            put_character(text[i]);
            break;
        case ECMA48_SEQUENCE:
            control(text[i], parser.parameter);
            break;
        case ECMA48_PARTIAL:
            break;
        }
    }
    dirty[cursor_row] = true; // ... for this one
    refresh();
}

static size_t display_size(void)
{
    return (size_t)bootinfo.framebuffer.pitch * bootinfo.framebuffer.height;
}

static const struct display *open(void)
{
    if (!bootinfo.has_framebuffer)
        return NULL;
    switch (bootinfo.framebuffer.type) {
    case MULTIBOOT_FRAMEBUFFER_RGB:
        return framebuffer_open(&bootinfo.framebuffer);
    case MULTIBOOT_FRAMEBUFFER_EGA_TEXT:
        return vga_open(&bootinfo.framebuffer);
    default:
        return NULL;
    }
}

// Show the grid from now on, on the display at @memory.
static void show(void *memory)
{
    display->map(memory);
    if (!cleared) {
        display->clear();
        memset(shown, ' ', sizeof(shown));
        cleared = true;
    }
    reachable = true;
    refresh();
}

void screen_init_early(void)
{
    display = open();
    if (!display)
        return;
    columns = minimum(display->columns, COLUMNS_MAX);
    rows = minimum(display->rows, ROWS_MAX);
    clear_rows(0);
    if (bootinfo.framebuffer.address + display_size() <= BOOT_IDENTITY_END)
        show((void *)bootinfo.framebuffer.address);
}

void screen_detach(void)
{
    reachable = false;
}

void screen_remap(void)
{
    if (!display)
        return;
    // Cached, as far as the page tables go: then the memory type is what the firmware's MTRRs say
    // of the display, which may be write combining. SDM vol. 3, table 11-7.
    void *memory = paging_map_physical(bootinfo.framebuffer.address, display_size(), false);
    if (memory) {
        show(memory);
    } else {
        display = NULL;
        print("The screen is not used: its memory at 0x%lx cannot be mapped.\n",
              bootinfo.framebuffer.address);
    }
}
