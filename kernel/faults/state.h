// The machine's state around a catalogue entry: what entries break is restored here.
#pragma once

#include <stdbool.h>

/// Whether we run as a guest of ourselves. tests/faults/svm.inc has it so by VMRUN, and undoes it
/// behind VMMCALL.
extern bool state_is_guest;

/// Map the pages that entries fault on, and forget SVM where the firmware forbids it: APM vol. 2,
/// 15.4. Needs the IDT.
void state_init(void);

/// Keep what an entry may change and what cannot be built anew.
void state_save(void);

/// An entry that takes the devices' vectors, too, must not be disturbed by the one that ticks. The
/// timer stays periodic: a one-shot would be over when it is unmasked.
void state_mask_timer(void);

/// An entry that takes NMIs itself must not get those from outside: LINT1 is masked. Unmask it
/// last, when the kernel's own handler is back.
void state_mask_nmi(void);
void state_unmask_nmi(void);

/// Restore control-flow enforcement, ahead of the rest: with a shadow stack no handler can return
/// to another place than the CPU has noted there. SDM vol. 1, 17.2.
void state_restore_cet(void);

/// Restore registers, pages, tables and the local APIC. The tables must be open. What the entry
/// left pending is taken here, by the handlers that are in place: it must not reach the kernel's.
void state_restore(void);

/// Have the other CPUs forget what the pages were, the tables' own among them, while the entry ran.
/// Comes last: it needs interrupts, and the kernel's own handlers.
void state_share_pages(void);
