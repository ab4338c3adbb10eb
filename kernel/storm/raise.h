// The sources of a storm: how each trap is raised, and what the hardware promises of it.
#pragma once

#include "storm/storm.h"

/// Send this CPU an interrupt of some vector and so of some priority. The local APIC keeps one of
/// each vector pending: SDM vol. 3, 10.8.4. A second one is then merged into it, and so counted.
/// Needs IF clear.
void raise_ipi(struct storm *storm);

/// Send this CPU an NMI, unless one is still due: the CPU keeps one pending, too. SDM vol.
/// 3, 6.7.1.
void raise_nmi(struct storm *storm);

/// Let the timer interrupt once, soon: at times before the handler that calls this returns.
void raise_timer(struct storm *storm);

/// At times wait for all other CPUs to take an interrupt of ours, as each of them may wait for us.
/// Needs IF clear, and no trap on the stack.
void raise_shootdown(struct storm *storm);

/// Whether @vector is nobody's, so that a storm may have it.
bool raise_is_free(unsigned vector);
