; An interrupt that is there when the CPU is asked to take it, and gone when the CPU asks which it is.
; The controller then gives its spurious vector, sets nothing in service, and wants no EOI.
%include "fault.inc"
%include "tables.inc"

; The task priority is raised while the interrupt waits, and lowered again. SDM vol. 3, 10.9.
fault   0, "spurious-lapic", "an interrupt that the task priority withdraws", every_vector
        ipi     OWN_VECTOR
        mov     edi, LAPIC_TPR
        mov     esi, 0xFF
        kernel_call lapic_write
        sti
        nop
.here:  cli
        mov     edi, LAPIC_TPR
        xor     esi, esi
        kernel_call lapic_write
        sti
        nop
.next:  cli
        done
expect  SPURIOUS, .here
expect  OWN_VECTOR, .next
