// The local APIC and the I/O APICs, found through the ACPI MADT. SDM vol. 3, 10.4.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Enable the local APIC (xAPIC mode) and mask every I/O APIC pin. Needs acpi_init().
void apic_init(void);

/// Set this CPU's local APIC up; apic_init() has done so for the first one's.
void apic_init_local(void);

/// What the ACPI MADT says. Needs apic_init().
const struct madt *apic_madt(void);

/// The end of the interrupt of @vector: every handler of a device calls this, once. Returns false,
/// and does nothing, if none is in service: then INT n came, or a spurious interrupt, and an EOI
/// would end another one. SDM vol. 3, 10.8.5.
bool apic_end(unsigned vector);

/// Signal the end of the interrupt in service, whichever it is.
void apic_eoi(void);

/// IA32_APIC_BASE: where the local APIC is, and its mode. To leave x2APIC mode resets its
/// registers. Panics in words if it is to be on and stays off. SDM vol. 3, 10.4.4 and 10.12.5.
uint64_t apic_base(void);
void apic_set_base(uint64_t base);

/// Route ISA interrupt @irq (0 to 15; MADT overrides honoured) to @vector and unmask it.
void apic_route(unsigned irq, unsigned vector);

/// Deliver @irq as an NMI, to the CPU that has booted; mask it.
void apic_route_nmi(unsigned irq);
void apic_mask(unsigned irq);

/// Whether @vector is in service on this CPU, which is how an interrupt differs from INT n.
bool apic_in_service(unsigned vector);

/// Whether an interrupt of @vector waits to be taken by this CPU. A second one is then lost in it.
bool apic_is_pending(unsigned vector);

/// End every interrupt that is in service on this CPU.
void apic_eoi_all(void);

/// The ID of this CPU's local APIC. SDM vol. 3, 10.4.6.
uint32_t apic_id(void);

/// Send the CPU whose APIC has @id what @command says, the lower half of the interrupt command
/// register without the level, which is 1: SDM vol. 3, 10.6.1. Interrupts must be off: a handler
/// that sends would leave its own destination.
void apic_send(uint32_t id, uint32_t command);

/// Send this CPU what @command says. Returns once it is pending; a fixed interrupt needs interrupts
/// off, or TPR above it.
void apic_send_self(uint32_t command);

/// Read and write a local APIC register by its @offset: LAPIC_* in x86.def.
uint32_t lapic_read(uint32_t offset);
void lapic_write(uint32_t offset, uint32_t value);
