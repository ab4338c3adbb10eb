; A spurious interrupt sets no bit in the ISR, so an EOI for it would end another interrupt: one that
; is in service must still be so behind it. INT 255 would do, but is delivered here by hand, since
; a spurious interrupt is none that an instruction asks for.
%include "fault.inc"
%include "tables.inc"

extern  isr_255_SPURIOUS

; Fields of a 64-bit gate: SDM vol. 3, figure 6-8.
%assign GATE_OFFSET_MIDDLE      6
%assign GATE_OFFSET_HIGH        8

fault   0, "spurious-eoi", "no EOI for a spurious interrupt in another"
        gate    OWN_VECTOR
        mov     rdx, .isr
        mov     [rax], dx
        shr     rdx, 16
        mov     [rax + GATE_OFFSET_MIDDLE], dx
        shr     rdx, 16
        mov     [rax + GATE_OFFSET_HIGH], edx
        ipi     OWN_VECTOR
        xor     ebx, ebx
        sti
        nop
        cli
        cmp     ebx, 1                  ; .isr has run, and was in service to its end
        jne     .wrong
        done
.wrong: done    1

routine .isr
        mov     rax, rsp
        sub     rsp, 8                  ; the CPU aligns to 16
        push    SELECTOR_KERNEL_DATA
        push    rax
        pushfq
        push    SELECTOR_KERNEL_CODE
        lea     rax, [rel .back]
        push    rax
        jmp     isr_255_SPURIOUS
.back:  mov     edi, OWN_VECTOR
        kernel_call apic_in_service
        movzx   ebx, al
        kernel_call apic_eoi
        iretq
