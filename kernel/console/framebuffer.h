// The display on a linear RGB framebuffer: draws characters as pixels.
#pragma once

#include "boot/multiboot2.h"
#include "console/screen.h"

/// The display on the RGB framebuffer of @tag, which must outlive it. Returns null if its pixels
/// are not of 2 to 4 bytes, or if it is smaller than one character.
const struct display *framebuffer_open(const struct multiboot_tag_framebuffer *tag);
