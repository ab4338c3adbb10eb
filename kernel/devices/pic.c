// Silences the 8259 pair. Masked as it is, it can still raise a spurious IRQ 7 or 15, which
// needs a handler that knows when not to send an EOI. Intel 8259A datasheet.
#include "devices/pic.h"

#include <stdint.h>

#include "cpu/x86.h"
#include "trap/trap.h"

#define DATA(pic) ((pic) + 1)

#define ICW1_INIT          0x11 // edge triggered, cascaded, ICW4 follows
#define ICW4_8086          0x01
#define OCW1_MASK_ALL      0xFF
#define MASTER_VECTOR_BASE (VECTOR_PIC7 - 7)
#define SLAVE_VECTOR_BASE  (VECTOR_PIC15 - 7)

static void init(uint16_t pic, unsigned vector_base, uint8_t icw3)
{
    outb(pic, ICW1_INIT);
    outb(DATA(pic), vector_base);
    outb(DATA(pic), icw3);
    outb(DATA(pic), ICW4_8086);
    outb(DATA(pic), OCW1_MASK_ALL);
}

/// A spurious interrupt has no bit in the ISR, and an EOI for it would end another interrupt.
static void eoi_if_in_service(uint16_t pic, unsigned level)
{
    outb(pic, OCW3_READ_ISR);
    if (inb(pic) & 1u << level)
        outb(pic, OCW2_SPECIFIC_EOI | level);
}

static void handle_irq7(struct regs *regs)
{
    (void)regs;
    eoi_if_in_service(PIC_MASTER, 7);
}

/// The master cannot tell that its slave's interrupt is spurious: its own is in service.
static void handle_irq15(struct regs *regs)
{
    (void)regs;
    eoi_if_in_service(PIC_SLAVE, 7);
    eoi_if_in_service(PIC_MASTER, PIC_CASCADE);
}

void pic_silence(void)
{
    init(PIC_MASTER, MASTER_VECTOR_BASE, 1u << PIC_CASCADE);
    init(PIC_SLAVE, SLAVE_VECTOR_BASE, PIC_CASCADE);
}

void pic_init(void)
{
    trap_handler(VECTOR_PIC7, handle_irq7);
    trap_handler(VECTOR_PIC15, handle_irq15);
    pic_silence();
}
