// The local APIC set up, and the I/O APICs, as the ACPI MADT describes them: ACPI 6.4, 5.2.12; SDM
// vol. 3, chapter 10; Intel 82093AA I/O APIC datasheet.
#include "devices/apic.h"

#include <stddef.h>

#include "cpu/paging.h"
#include "cpu/x86.h"
#include "devices/acpi.h"
#include "devices/lapic.h"
#include "devices/madt.h"
#include "lib/panic.h"
#include "trap/stacks.h"
#include "trap/trap.h"

// MPS INTI flags: ACPI 6.4, table 5-50. Other values mean what the bus does; ISA interrupts are
// active high and edge triggered.
#define INTI_POLARITY   (3u << 0)
#define INTI_ACTIVE_LOW (3u << 0)
#define INTI_TRIGGER    (3u << 2)
#define INTI_LEVEL      (3u << 2)

#define ICR_DELIVERY (7u << 8) // SDM vol. 3, figure 10-12

// 82093AA datasheet, 3.1 and 3.2.
enum io_apic_register { IOREGSEL = 0x00, IOWIN = 0x10 };
#define IOAPICVER        0x01
#define IOREDTBL(pin)    (0x10 + 2 * (pin)) // bits 0-31; bits 32-63 are one above
#define REDIR_NMI        (4u << 8)
#define REDIR_ACTIVE_LOW (1u << 13)
#define REDIR_LEVEL      (1u << 15)
#define REDIR_MASKED     (1u << 16)

struct io_apic {
    volatile uint32_t *registers;
    uint32_t gsi_base, pin_count;
};

static struct io_apic io_apics[IO_APIC_MAX];
static size_t io_apic_count;
static struct madt madt;

static uint32_t io_apic_read(const struct io_apic *io_apic, uint32_t index)
{
    io_apic->registers[IOREGSEL / sizeof(*io_apic->registers)] = index;
    return io_apic->registers[IOWIN / sizeof(*io_apic->registers)];
}

static void io_apic_write(const struct io_apic *io_apic, uint32_t index, uint32_t value)
{
    io_apic->registers[IOREGSEL / sizeof(*io_apic->registers)] = index;
    io_apic->registers[IOWIN / sizeof(*io_apic->registers)] = value;
}

/// Map the I/O APIC that @listed tells of, and mask its pins.
static void add_io_apic(const struct madt_io_apic *listed)
{
    struct io_apic *io_apic = &io_apics[io_apic_count++];
    io_apic->registers = paging_map_physical(listed->address, IO_APIC_SIZE, true);
    uint32_t version = io_apic->registers ? io_apic_read(io_apic, IOAPICVER) : 0;
    if (version == 0 || version == UINT32_MAX) // what is read where no device answers
        panic("The ACPI MADT has an I/O APIC at 0x%lx, where there is none", listed->address);
    io_apic->gsi_base = listed->gsi_base;
    io_apic->pin_count = (version >> 16 & 0xFF) + 1;
    for (uint32_t pin = 0; pin < io_apic->pin_count; pin++)
        io_apic_write(io_apic, IOREDTBL(pin), REDIR_MASKED);
}

/// Nothing to do, trap_count() has counted it. Above all no EOI: neither a spurious interrupt nor
/// an NMI sets an ISR bit: an EOI would end another interrupt. SDM vol. 3, 10.8.5 and 10.9.
static void only_count(struct regs *regs)
{
    (void)regs;
}

void apic_init_local(void)
{
    lapic_enable();

    // Before the local vector table: while the APIC is off, its mask bits cannot be cleared.
    lapic_write(LAPIC_SVR, SVR_APIC_ENABLE | VECTOR_SPURIOUS);

    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED); // the 8259's INTR
    // The other CPUs have the same wire, and one NMI is to come once.
    bool is_first = this_cpu() == cpu_at(0);
    lapic_write(LAPIC_LVT_LINT1, LVT_DELIVERY_NMI | (is_first ? 0 : LVT_MASKED));
    lapic_write(LAPIC_TPR, 0);

    // A write moves the errors since the last write into the register: the second one clears it.
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_ESR, 0);
}

void apic_init(void)
{
    const struct acpi_header *table = acpi_table("APIC");
    if (!table)
        panic("The ACPI tables have no MADT; the interrupt controllers cannot be found");
    const char *flaw = madt_read(table, apic_id_max(), &madt);
    if (flaw)
        panic("The ACPI MADT is damaged: %s", flaw);
    for (size_t i = 0; i < madt.io_apic_count; i++)
        add_io_apic(&madt.io_apics[i]);
    lapic_init(madt.local_apic);
    trap_handler(VECTOR_SPURIOUS, only_count);
    trap_handler(VECTOR_NMI, only_count);
    apic_init_local();
}

const struct madt *apic_madt(void)
{
    return &madt;
}

void apic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

/// The bit of @vector in the eight registers from @offset on: SDM vol. 3, 10.8.4.
static bool vector_bit(uint32_t offset, unsigned vector)
{
    return lapic_read(offset + vector / 32 * 16) & 1u << vector % 32;
}

bool apic_in_service(unsigned vector)
{
    return vector_bit(LAPIC_ISR, vector);
}

bool apic_is_pending(unsigned vector)
{
    return vector_bit(LAPIC_IRR, vector);
}

bool apic_end(unsigned vector)
{
    if (!apic_in_service(vector))
        return false;
    apic_eoi();
    return true;
}

void apic_eoi_all(void)
{
    for (uint32_t offset = LAPIC_ISR; offset < LAPIC_ISR + 8 * 16; offset += 16)
        while (lapic_read(offset))
            apic_eoi();
}

void apic_send_self(uint32_t command)
{
    apic_send(apic_id(), command);
    while ((command & ICR_DELIVERY) == ICR_FIXED && !vector_bit(LAPIC_IRR, command & 0xFF))
        pause();
}

static const struct io_apic *io_apic_of(uint32_t gsi)
{
    for (size_t i = 0; i < io_apic_count; i++)
        if (gsi >= io_apics[i].gsi_base && gsi - io_apics[i].gsi_base < io_apics[i].pin_count)
            return &io_apics[i];
    panic("No I/O APIC has a pin for global system interrupt %u", gsi);
}

/// Let ISA interrupt @irq come as @what says: the vector, delivery mode and mask bit of its entry.
static void redirect(unsigned irq, uint32_t what)
{
    struct isa_interrupt interrupt = madt.isa_interrupts[irq];
    const struct io_apic *io_apic = io_apic_of(interrupt.gsi);
    uint32_t index = IOREDTBL(interrupt.gsi - io_apic->gsi_base);

    uint32_t redirection = what;
    if ((interrupt.flags & INTI_POLARITY) == INTI_ACTIVE_LOW)
        redirection |= REDIR_ACTIVE_LOW;
    if ((interrupt.flags & INTI_TRIGGER) == INTI_LEVEL)
        redirection |= REDIR_LEVEL;

    uint32_t id = apic_id();
    if (id > XAPIC_ID_MAX)
        panic("The I/O APICs cannot reach the first CPU: its APIC ID is %u", id);

    // The half with the mask bit comes last: until then the pin must not fire.
    io_apic_write(io_apic, index + 1, id << 24);
    io_apic_write(io_apic, index, redirection);
}

void apic_route(unsigned irq, unsigned vector)
{
    redirect(irq, vector);
}

void apic_route_nmi(unsigned irq)
{
    redirect(irq, REDIR_NMI);
}

void apic_mask(unsigned irq)
{
    redirect(irq, REDIR_MASKED);
}
