// The display on the text buffer of an EGA or VGA: the adapter draws the characters.
#pragma once

#include "boot/multiboot2.h"
#include "console/screen.h"

/// The display on the EGA text buffer of @tag, which must outlive it.
const struct display *vga_open(const struct multiboot_tag_framebuffer *tag);
