; The 256 interrupt stubs, generated from kernel/trap/vectors.def: the first instructions that run
; after the CPU has taken a trap. Each brings the stack to one shape and goes to asm/entry.asm.
;
; What the CPU leaves (SDM vol. 3, 6.14.2), and what a stub adds below it:
;
;       no error code                           with an error code
;
;       ss          <- 16-byte aligned top      ss          <- 16-byte aligned top
;       rsp                                     rsp
;       rflags                                  rflags
;       cs                                      cs
;       rip         <- RSP at the stub          rip
;       0           pushed here: a dummy        error code  <- RSP at the stub
;       vector      pushed here                 vector      pushed here
;
; From `vector` up both columns have the same shape. That is all a stub is for.

%include "cfi.inc"                      ; makes `push` write its unwind row as well
%include "vectors.inc"

extern trap_entry
extern trap_entry_code

STUB_SIZE               equ 16

; One stub: its vector, its symbol, NONE or CODE.
%macro stub 3
        align   STUB_SIZE, int3
global %2:function STUB_SIZE
%2:
    %ifidn %3, CODE
        cfa_rsp_or_8_less 48
        endbr64                         ; under CET, delivery makes the CPU wait for it
        push    strict qword %1
        jmp     strict near trap_entry_code
    %else
        cfa_rsp 40
        endbr64
        push    strict byte 0           ; no code came: a dummy in its place
        push    strict qword %1         ; an imm32: a byte would be sign-extended from 128 on
        jmp     strict near trap_entry
    %endif
    %if $ - %2 > STUB_SIZE
        %error a stub must not outgrow its 16 bytes: idt.c computes their addresses
    %endif
%endmacro

        section .text progbits alloc exec nowrite align=16

; The stub of vector v lies at isr_0_DE + v * STUB_SIZE.
        cfi_begin trap
%assign v 0
%rep 256
    %ifdef MNEMONIC_%[v]
        stub    v, %[isr_%[v]_ %+ MNEMONIC_%[v]], %[ERROR_CODE_%[v]]
    %else
        stub    v, %[isr_%[v]], NONE
    %endif
    %assign v v + 1
%endrep
        align   STUB_SIZE, int3
        cfi_end
