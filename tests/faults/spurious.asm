; An interrupt that is there when the CPU is asked to take it, and gone when the CPU asks which it
; is. The controller then gives its spurious vector, sets nothing in service, and wants no EOI.
%include "fault.inc"
%include "tables.inc"

; The task priority is raised while the interrupt waits, and lowered again. SDM vol. 3, 10.9.
fault   0, "spurious-lapic", "an interrupt that TPR withdraws", every_vector
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

; The 8259's way: its request reaches the CPU through LINT0 as ExtINT, and is masked before the CPU
; asks for the vector. It answers with input 7, whose in-service bit stays clear. 8259A datasheet,
; "Default IR7".
%assign PIC_DATA 0x21
%assign PIC_MASK_ALL 0xFF
%assign PIC_MASK_ALL_BUT_TIMER 0xFE
%assign LVT_EXTINT 7 << 8
%assign LVT_MASKED 1 << 16

; lint0 VALUE
%macro lint0 1
        mov     edi, LAPIC_LVT_LINT0
        mov     esi, %1
        kernel_call lapic_write
%endmacro

%macro pic_mask 1
        mov     al, %1
        out     PIC_DATA, al
%endmacro

fault   0, "spurious-pic", "a request withdrawn from the 8259", every_vector
        lint0   LVT_EXTINT
        pic_mask PIC_MASK_ALL_BUT_TIMER
        mov     ecx, 1000000
.wait:  pause
        loop    .wait
        lint0   LVT_MASKED
        pic_mask PIC_MASK_ALL
        lint0   LVT_EXTINT
        sti
        nop
.here:  cli
        lint0   LVT_MASKED
        done
expect  PIC7, .here
