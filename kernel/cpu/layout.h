// The kernel's address space: layout.def, and the symbols of linker.ld that bound its parts.
#pragma once

#define NOTE(text)
#define CONSTANT(name, value) name = value,
enum layout {
#include "cpu/layout.def"
};
#undef CONSTANT
#undef NOTE

extern char kernel_start[], kernel_end[];
extern char text_start[], text_end[];
extern char rodata_start[], rodata_end[];
extern char data_start[], data_end[];
extern char tables_start[], tables_end[];
extern char user_text_start[], user_text_end[], user_text_physical[];
