// Silences the 8259 pair. Masked as it is, it can still raise a spurious IRQ 7 or 15, which
// needs a handler that knows when not to send an EOI. Intel 8259A datasheet.
#include "pic.h"

#include <stdint.h>

#include "trap.h"
#include "x86.h"

// The command port of each; the data port is the one above.
enum pic { MASTER = 0x20, SLAVE = 0xA0 };
#define DATA(pic) ((pic) + 1)

#define CASCADE 2 // the master's input that the slave is wired to

#define ICW1_INIT          0x11 // edge triggered, cascaded, ICW4 follows
#define ICW4_8086          0x01
#define OCW1_MASK_ALL      0xFF
#define OCW2_SPECIFIC_EOI  0x60
#define OCW3_READ_ISR      0x0B
#define MASTER_VECTOR_BASE (VECTOR_PIC7 - 7)
#define SLAVE_VECTOR_BASE  (VECTOR_PIC15 - 7)

static void init(enum pic pic, unsigned vector_base, uint8_t icw3)
{
    outb(pic, ICW1_INIT);
    outb(DATA(pic), vector_base);
    outb(DATA(pic), icw3);
    outb(DATA(pic), ICW4_8086);
    outb(DATA(pic), OCW1_MASK_ALL);
}

/// A spurious interrupt has no bit in the ISR, and an EOI for it would end another interrupt.
static void eoi_if_in_service(enum pic pic, unsigned level)
{
    outb(pic, OCW3_READ_ISR);
    if (inb(pic) & 1u << level)
        outb(pic, OCW2_SPECIFIC_EOI | level);
}

static void handle_irq7(struct regs *regs)
{
    (void)regs;
    eoi_if_in_service(MASTER, 7);
}

/// The master cannot tell that its slave's interrupt is spurious: its own is in service.
static void handle_irq15(struct regs *regs)
{
    (void)regs;
    eoi_if_in_service(SLAVE, 7);
    eoi_if_in_service(MASTER, CASCADE);
}

void pic_init(void)
{
    trap_handler(VECTOR_PIC7, handle_irq7);
    trap_handler(VECTOR_PIC15, handle_irq15);
    init(MASTER, MASTER_VECTOR_BASE, 1u << CASCADE);
    init(SLAVE, SLAVE_VECTOR_BASE, CASCADE);
}
