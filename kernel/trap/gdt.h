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

/// Build GDT and TSS in struct cpu and load them: LGDT, the segment registers, LTR.
void gdt_init(void);

/// Where the code segment of @selector begins, which its RIPs count from: 0 in 64-bit code, and
/// where the GDT does not have it. SDM vol. 3, 3.4.4.
uint64_t gdt_code_base(unsigned selector);
