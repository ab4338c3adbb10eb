// The segment descriptors and the task state of this CPU. SDM vol. 3, 3.4.5 and 7.7.
#pragma once

/// Build GDT and TSS in struct cpu and load them: LGDT, the segment registers, LTR.
void gdt_init(void);
