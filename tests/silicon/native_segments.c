// Segments: the kernel's selectors in the entries' code become those of Linux, and the spare
// descriptor of kernel/trap/gdt.c is one of the LDT, which a process may write.
#include <asm/ldt.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/layout.h"
#include "native.h"

// Linux's GDT: arch/x86/include/asm/segment.h.
#define LINUX_USER_CODE32 0x23
#define LINUX_USER_DATA   0x2B
#define LINUX_USER_CODE   0x33

#define SELECTOR_TI    (1 << 2)
#define SELECTOR_RPL   3
#define SELECTOR_INDEX 3 // its shift

// A segment descriptor: SDM vol. 3, figure 3-8.
#define DESCRIPTOR_W (1ul << 41)
#define DESCRIPTOR_P (1ul << 47)
#define DESCRIPTOR_D (1ul << 54)
#define DESCRIPTOR_G (1ul << 55)
#define LIMIT_4G     0xFFFFF

static uint8_t *const code_start = (uint8_t *)user_text_start;
static uint8_t *const code_end = (uint8_t *)user_text_end;

uint16_t native_selector(uint16_t selector)
{
    switch (selector) {
    case LINUX_USER_CODE32:
        return SELECTOR_USER_CODE32;
    case LINUX_USER_DATA:
        return SELECTOR_USER_DATA;
    case LINUX_USER_CODE:
        return SELECTOR_USER_CODE;
    }
    return (selector & ~SELECTOR_RPL) == (SELECTOR_SPARE | SELECTOR_TI) ? selector & ~SELECTOR_TI
                                                                        : selector;
}

/// Linux's selector for the kernel's @selector, one byte each.
static uint8_t linux_selector(uint8_t selector)
{
    switch (selector) {
    case SELECTOR_USER_CODE32:
        return LINUX_USER_CODE32;
    case SELECTOR_USER_DATA:
        return LINUX_USER_DATA;
    case SELECTOR_USER_CODE:
        return LINUX_USER_CODE;
    case SELECTOR_SPARE | SELECTOR_RPL:
        return SELECTOR_SPARE | SELECTOR_RPL | SELECTOR_TI;
    }
    return selector;
}

/// An instruction sequence with selectors in it; ANY stands for any byte, HERE for a selector.
enum { ANY = -1, HERE = -2 };

// `mov eax, selector; mov sreg, eax`
static const int16_t load[] = {0xB8, HERE, 0, 0, 0, 0x8E};
// The frame for IRETQ: `push ss; push rbx; push rflags; push cs`
static const int16_t frame[] = {0x6A, HERE, 0x53, 0x6A, ANY, 0x6A, HERE};
static const int16_t frame_wide_rflags[] = {0x6A, HERE, 0x53, 0x68, ANY, ANY, ANY, ANY, 0x6A, HERE};

static void replace(const int16_t *pattern, size_t length)
{
    for (uint8_t *at = code_start; at + length <= code_end; at++) {
        size_t i = 0;
        while (i < length && (pattern[i] < 0 || pattern[i] == at[i]))
            i++;
        for (size_t j = 0; i == length && j < length; j++)
            if (pattern[j] == HERE)
                at[j] = linux_selector(at[j]);
    }
}

/// `jmp far [rel pointer]`, by which an entry enters 32-bit code: the selector lies at the pointer,
/// behind 32 bits of offset.
static void replace_far_jumps(void)
{
    static const uint8_t opcode[] = {0xFF, 0x2D};
    int32_t distance;
    size_t length = sizeof(opcode) + sizeof(distance);
    for (uint8_t *at = code_start; at + length <= code_end; at++) {
        if (memcmp(at, opcode, sizeof(opcode)) != 0)
            continue;
        memcpy(&distance, at + sizeof(opcode), sizeof(distance));
        uint8_t *selector = at + length + distance + sizeof(uint32_t);
        if (selector >= code_start && selector < code_end)
            *selector = linux_selector(*selector);
    }
}

void native_replace_selectors(void)
{
    replace(load, sizeof(load) / sizeof(load[0]));
    replace(frame, sizeof(frame) / sizeof(frame[0]));
    replace(frame_wide_rflags, sizeof(frame_wide_rflags) / sizeof(frame_wide_rflags[0]));
    replace_far_jumps();
}

void native_load_data_segments(void)
{
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(LINUX_USER_DATA) : "memory");
}

bool native_write_spare_descriptor(uint64_t descriptor)
{
    struct user_desc description = {
        .entry_number = SELECTOR_SPARE >> SELECTOR_INDEX,
        .limit = LIMIT_4G,
        .seg_32bit = (descriptor & DESCRIPTOR_D) != 0,
        .read_exec_only = (descriptor & DESCRIPTOR_W) == 0,
        .limit_in_pages = (descriptor & DESCRIPTOR_G) != 0,
        .seg_not_present = (descriptor & DESCRIPTOR_P) == 0,
        .useable = 1,
    };
    return syscall(SYS_modify_ldt, 1, &description, sizeof(description)) == 0;
}
