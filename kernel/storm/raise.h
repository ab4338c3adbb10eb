// The sources of a storm: how each trap is raised, and what the hardware promises of it.
#pragma once

#include "storm/storm.h"

/// Send this CPU an interrupt of some vector and so of some priority. The local APIC keeps one of
/// each vector pending: SDM vol. 3, 10.8.4. A second one is then merged into it, and so counted.
/// Needs IF clear.
void raise_ipi(struct storm *storm);

/// Send another CPU one of some vector, unless the last one has not come. Needs IF clear.
void raise_ipi_elsewhere(struct storm *storm);

/// Whether @vector is for interrupts from other CPUs. Nobody sends those to itself: what is
/// pending, and so merges them, would then be another CPU's to know.
bool raise_is_from_others(unsigned vector);

/// Send this CPU an NMI, unless one is still due: the CPU keeps one pending, too. SDM vol.
/// 3, 6.7.1.
void raise_nmi(struct storm *storm);

/// Send one to another CPU, unless one is due there. Needs IF clear.
void raise_nmi_elsewhere(struct storm *storm);

/// Say that @sender's NMI is due next in @storm. False if one is already.
bool raise_claim_nmi(struct storm *storm, enum sender sender);

/// Let the timer interrupt once, soon: at times before the handler that calls this returns.
void raise_timer(struct storm *storm);

/// At times wait for all other CPUs to take an interrupt of ours, as each of them may wait for us.
/// Needs IF clear, and no trap on the stack.
void raise_shootdown(struct storm *storm);

/// Whether @vector is nobody's, so that a storm may have it.
bool raise_is_free(unsigned vector);
