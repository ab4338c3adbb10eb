// Fuzzes the text screen: the input is a framebuffer's tag behind its address, then text with
// control sequences.
#include "console/screen.c"

#include "tests/fuzz/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ADDRESS     (1ul << 32) // above the boot mapping: it is reached by a map alone
#define MEMORY_MAX  (1ul << 20) // a larger one takes long to clear
#define MODE_OFFSET offsetof(struct multiboot_tag_framebuffer, pitch)
#define MODE_SIZE   (sizeof(struct multiboot_tag_framebuffer) - MODE_OFFSET)

static struct {
    struct multiboot_info info;
    struct multiboot_tag_framebuffer framebuffer;
    struct multiboot_tag end;
} information;

static const char *text;
static size_t text_size;

/// It needs the ports of the adapter.
const struct display *vga_open(const struct multiboot_tag_framebuffer *tag)
{
    (void)tag;
    return NULL;
}

static void use_screen(void)
{
    screen_init_early();
    screen_remap();
    screen_write(text, text_size);
    always(cursor_column <= columns && (rows == 0 || cursor_row < rows), "the cursor is inside");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < MODE_SIZE)
        return 0;
    information.info.total_size = sizeof(information);
    information.framebuffer.tag.type = MULTIBOOT_TAG_FRAMEBUFFER;
    information.framebuffer.tag.size = sizeof(information.framebuffer);
    information.framebuffer.address = ADDRESS;
    information.end.size = sizeof(information.end);
    memcpy((char *)&information.framebuffer + MODE_OFFSET, data, MODE_SIZE);
    memset(&bootinfo, 0, sizeof(bootinfo));
    bootinfo_init((uint64_t)&information, (uint64_t)(&information + 1));
    bootinfo_report();
    if (display_size() > MEMORY_MAX)
        return 0;
    columns = rows = cursor_column = cursor_row = 0;
    reachable = false;
    text = (const char *)data + MODE_SIZE;
    text_size = size - MODE_SIZE;
    run(use_screen);
    return 0;
}
