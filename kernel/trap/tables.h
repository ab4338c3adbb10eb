// The tables by which a trap finds its way: IDT, GDT and TSS, and the handlers of trap.c. Once all
// is set up they are read-only, and a stray write to them is a page fault like any other. Whoever
// means it opens them first; the path itself never does.
#pragma once

/// Let this CPU write the tables, its own GDT and TSS and those that all share.
void tables_open(void);

/// They are read-only again, on this CPU at once.
void tables_close(void);

/// RSP0 of this CPU's TSS under an address that can be written at any time: it changes with each
/// call of ring 3.
void *tables_rsp0(void);
