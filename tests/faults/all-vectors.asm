; Every vector, by whom it can be raised other than by the CPU's own faults. No code is pushed, not
; even for the ten whose exceptions have one.
%include "fault.inc"
%include "tables.inc"

fault   0, "int-all", "INT n for all 256 vectors", every_vector
%assign vector_number 0
%rep 256
        db      0xCD, vector_number     ; NASM would make one byte of INT 3
.next_%[vector_number]:
expect  vector_number, .next_%[vector_number]
    %assign vector_number vector_number + 1
%endrep
        done

; spurious_vector VECTOR
%macro spurious_vector 1
        mov     edi, LAPIC_SVR
        mov     esi, SVR_APIC_ENABLE | %1
        kernel_call lapic_write
%endmacro

; 0 to 15 are not the local APIC's to send: SDM vol. 3, 10.5.2. One of them becomes the spurious
; vector meanwhile, so that 255 is one like the others.
fault   0, "ipi-all", "an interrupt to each vector from 16 to 255", every_vector
        spurious_vector 15
        xor     r12d, r12d
%assign vector_number 16
%rep 240
        mov     ebx, vector_number
        call    .send
expect  vector_number, .came
    %assign vector_number vector_number + 1
%endrep
        spurious_vector VECTOR_SPURIOUS
        test    r12d, r12d
        jnz     .wrong
        done
.wrong: done    1                       ; an EOI is missing

.send:  mov     edi, ebx                ; ICR_FIXED is 0
        kernel_call apic_send_self
        sti
        nop
.came:  cli
        mov     edi, ebx
        kernel_call apic_in_service
        movzx   eax, al
        or      r12d, eax
        ret
