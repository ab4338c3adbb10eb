// What the interrupt controllers do: the local APIC (devices/lapic.h) and the I/O APICs, found
// through the ACPI MADT.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Enable the local APIC and mask every I/O APIC pin. Needs acpi_init().
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

/// Send this CPU what @command says. Returns once it is pending; a fixed interrupt needs interrupts
/// off, or TPR above it.
void apic_send_self(uint32_t command);
