// TLB shootdown: no CPU may go on with a translation that another has changed. SDM vol. 3, 4.10.5.
#pragma once

/// Take shootdowns from other CPUs from now on, on every CPU.
void shootdown_init(void);

/// Have every CPU, this one too, run @forget, which executes INVLPG, and return when all have. Call
/// it behind the change of page-table entries that the CPUs share, with interrupts on.
void shootdown(void (*forget)(void));

/// Do what another CPU's shootdown waits for. Whoever waits for another CPU with interrupts off
/// must call it again and again: that CPU may be waiting for us.
void shootdown_serve(void);
