; Floating-point errors. The one of x87 is reported late: at the next x87 instruction that waits.
%include "fault.inc"
%include "tables.inc"
%include "pic.inc"

%assign FCW_ZM_UNMASKED 0x037B          ; SDM vol. 1, 8.1.5
%assign MXCSR_INIT 0x1F80               ; SDM vol. 1, 10.2.3
%assign MXCSR_ZM 1 << 9

; 1 / 0 with #Z unmasked.
%macro divide_x87 0
        fninit
        push    FCW_ZM_UNMASKED
        fldcw   [rsp]
        pop     rax
        fld1
        fldz
        fdivp
%endmacro

; x87_error INSTRUCTION
%macro x87_error 1+
        divide_x87
        nop
.here:  %1
.next:  fninit
        done
expect  MF, .here, then .next
%endmacro

fault   0, "mf-fwait", "FWAIT after an unmasked x87 error"
        x87_error fwait

fault   0, "mf-x87", "the x87 instruction after an unmasked error"
        x87_error fld1

fault   3, "mf-user-fwait", "FWAIT after an unmasked x87 error, in ring 3"
        x87_error fwait

fault   3, "mf-user-x87", "the x87 instruction after an unmasked error"
        x87_error fld1

; Without CR0.NE it is not #MF but IRQ 13, as in the first PCs: the CPU tells the 8259, and waits. A
; write to port F0 takes the request back. SDM vol. 1, D.2.
%assign IRQ13_VECTOR            VECTOR_PIC15 - 2
%assign SLAVE_X87               5
%assign X87_CLEAR               0xF0

fault   0, "irq-x87", "an unmasked x87 error with CR0.NE clear"
        lint0   LVT_DELIVERY_EXTINT
        pic_unmask PIC_SLAVE, SLAVE_X87
        pic_unmask PIC_MASTER, PIC_CASCADE
        mov     rax, cr0
        and     rax, ~CR0_NE
        mov     cr0, rax
        divide_x87
        sti
        nop
        fwait
        nop
        cli
        fninit
        done
expect  IRQ13_VECTOR, anywhere, repair .end

routine .end
        xor     eax, eax
        out     X87_CLEAR, al
        fnclex
        pic_eoi PIC_SLAVE, SLAVE_X87
        pic_eoi PIC_MASTER, PIC_CASCADE
        ret

; SSE reports at the instruction itself.
%macro sse_error 1
        push    MXCSR_INIT & ~MXCSR_ZM
        ldmxcsr [rsp]
        xorps   xmm1, xmm1
        mov     eax, 1
        cvtsi2ss xmm0, eax
.here:  divss   xmm0, xmm1
.next:  mov     dword [rsp], MXCSR_INIT
        ldmxcsr [rsp]
        pop     rax
        done
expect  %1, .here, then .next
%endmacro

fault   0, "xm-divss", "DIVSS by zero with MXCSR.ZM clear"
        sse_error XM

fault   3, "xm-user-divss", "DIVSS by zero with MXCSR.ZM clear, in ring 3"
        sse_error XM

fault   0, "ud-divss", "DIVSS by zero without CR4.OSXMMEXCPT"
        mov     rax, cr4
        and     rax, ~CR4_OSXMMEXCPT
        mov     cr4, rax
        sse_error UD
