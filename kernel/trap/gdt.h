// The segment descriptors and the task state of this CPU. SDM vol. 3, 3.4.5 and 7.7.
#pragma once

#include <stdint.h>

/// The task state in long mode: SDM vol. 3, 7.7. IST slots count from 1.
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map_base;
} __attribute__((packed));

_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, figure 7-11");

#define GDT_ENTRIES 11

// Descriptor fields: SDM vol. 3, figures 3-8 and 7-4, tables 3-1 and 3-2.
#define DESCRIPTOR_P         (1ul << 47)
#define DESCRIPTOR_DPL_SHIFT 45
#define DESCRIPTOR_DPL3      (3ul << DESCRIPTOR_DPL_SHIFT)
#define DESCRIPTOR_S         (1ul << 44)
#define DESCRIPTOR_L         (1ul << 53)
#define DESCRIPTOR_D         (1ul << 54)
#define DESCRIPTOR_G         (1ul << 55)
#define DESCRIPTOR_LIMIT_4G  (0x000F00000000FFFFul | DESCRIPTOR_G)
#define TYPE_CODE            (0x8ul << 40)
#define TYPE_CONFORMING      (0x4ul << 40) ///< of a code segment
#define TYPE_EXPAND_DOWN     (0x4ul << 40) ///< of a data segment
#define TYPE_WRITABLE        (0x2ul << 40) ///< of a data segment
#define TYPE_ACCESSED        (0x1ul << 40) ///< set from the start: the CPU need not write the GDT
#define TYPE_DATA_RW         (0x2ul << 40)
#define TYPE_CODE_ER         (0xAul << 40)
#define TYPE_LDT             (0x2ul << 40)
#define TYPE_TSS_AVAILABLE   (0x9ul << 40)
#define TYPE_CALL_GATE       (0xCul << 40)

/// The base in a segment's @descriptor.
static inline uint64_t descriptor_base(uint64_t descriptor)
{
    return (descriptor >> 16 & 0xFFFFFF) | (descriptor >> 32 & 0xFF000000);
}

/// Build GDT and TSS in the struct cpu of this CPU and load them: LGDT, the segment registers, LTR.
void gdt_init(void);

/// Where the code segment of @selector begins, which its RIPs count from: 0 in 64-bit code, and
/// where the GDT does not have it. SDM vol. 3, 3.4.4.
uint64_t gdt_code_base(unsigned selector);
