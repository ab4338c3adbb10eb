// The interrupt descriptor table: one gate per stub of asm/stubs.asm. SDM vol. 3, 6.14.1.
#pragma once

#include <stdint.h>

/// A 64-bit gate: SDM vol. 3, figure 6-8.
struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, attributes;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, figure 6-8");

// Gate attributes: P, DPL and type in one byte.
#define GATE_P         0x80
#define GATE_DPL_SHIFT 5
#define GATE_TYPE      0x0F
#define GATE_INTERRUPT 0x0E // clears IF on delivery, a trap gate (0x0F) does not

/// Build the table, which all CPUs share, and load it on this one.
void idt_init(void);

/// Load it as it is.
void idt_load(void);

/// The gate of @vector (0 to 255), and the address that it leads to.
struct gate *idt_gate(unsigned vector);
uint64_t gate_offset(const struct gate *gate);
