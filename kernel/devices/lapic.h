// The local APIC of the CPU that runs this. In x2APIC mode its registers are MSRs, else memory;
// what is here is the same for both. SDM vol. 3, 10.4 and 10.12.
#pragma once

#include <stdint.h>

/// The highest ID of a CPU that can be reached in xAPIC mode, and by the I/O APICs. The one above
/// is everybody's. SDM vol. 3, 10.6.2.1.
#define XAPIC_ID_MAX 0xFEu

/// The same for the mode that all CPUs are in: x2APIC where they can be. Needs cpu_detect().
uint32_t apic_id_max(void);

/// The mode that this CPU is in, by name.
const char *lapic_mode(void);

/// Find the registers, at physical @address in xAPIC mode. Panics in words if nothing can be there.
void lapic_init(uint64_t address);

/// Switch this CPU's on, in the mode of all. Needs lapic_init().
void lapic_enable(void);

/// Read and write a register by its @offset in xAPIC mode: LAPIC_* in x86.def. The interrupt
/// command is apic_send()'s alone.
uint32_t lapic_read(uint32_t offset);
void lapic_write(uint32_t offset, uint32_t value);

/// IA32_APIC_BASE: where the registers are, and the mode. To set it panics in words if it is to be
/// on and stays off. SDM vol. 3, 10.4.4 and 10.12.5.
uint64_t apic_base(void);
void apic_set_base(uint64_t base);

/// The ID of this CPU's local APIC. SDM vol. 3, 10.4.6 and 10.12.5.1.
uint32_t apic_id(void);

/// Send the CPU whose APIC has @id what @command says, the lower half of the interrupt command
/// register without the level, which is 1: SDM vol. 3, 10.6.1 and 10.12.9. Interrupts must be off:
/// a handler that sends would leave its own destination.
void apic_send(uint32_t id, uint32_t command);
