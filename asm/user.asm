; The way into ring 3 and back, and its twin for ring 0: run a piece of code that may trap, that
; may clobber every register, and that may never come back by itself.
;
; Both keep the kernel's callee-saved state on the stack and its RSP where the caller says. To end
; the code from inside a trap, a handler makes the frame return to ring_return with that RSP, in
; ring 0: every slot of the frame is writable, so no other way out is needed.

%include "cfi.inc"
%include "layout.inc"
%include "x86.inc"

        section .text progbits alloc exec nowrite align=16

; The System V ABI's callee-saved registers, and RFLAGS: the code may leave DF, IF or AC set. RBP
; comes first, so that it is a frame's with the return address, and a backtrace out of the code
; finds its way to our caller: from ring 3 by TSS.RSP0, for RBP is ring 3's own there.
%macro save_kernel_state 0
        push    rbp
        mov     rbp, rsp
        pushfq
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
%endmacro

%macro restore_kernel_state 0
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        popfq
        pop     rbp
%endmacro

; uint64_t ring3_call(uint64_t rip, uint64_t rsp, uint64_t rflags, void *kernel_rsp)
;       kernel_rsp should be TSS.RSP0: then a trap in ring 3 continues on this very stack.
global ring3_call:function (ring0_call - ring3_call)
ring3_call:
        cfi_begin call
        save_kernel_state
        mov     [rcx], rsp

        push    SELECTOR_USER_DATA      ; ss
        push    rsi                     ; rsp
        push    rdx                     ; rflags
        push    SELECTOR_USER_CODE      ; cs
        push    rdi                     ; rip

        ; Ring 3 is shown nothing of the kernel's registers.
        xor     eax, eax
        xor     ecx, ecx
        xor     edx, edx
        xor     ebx, ebx
        xor     esi, esi
        xor     edi, edi
        xor     ebp, ebp
        xor     r8d, r8d
        xor     r9d, r9d
        xor     r10d, r10d
        xor     r11d, r11d
        xor     r12d, r12d
        xor     r13d, r13d
        xor     r14d, r14d
        xor     r15d, r15d
        iretq
        cfi_end

; uint64_t ring0_call(uint64_t code, void *kernel_rsp)
;       The code may also come back by RET, with its result in RAX.
global ring0_call:function (ring_return - ring0_call)
ring0_call:
        cfi_begin call
        save_kernel_state
        mov     [rsi], rsp
        call    rdi

global ring_return:function (ring_end - ring_return)
ring_return:
        restore_kernel_state
        ret
        cfi_end
ring_end:

; Code in ring 3 has no caller on its own stack. It was called by who called ring3_call, and the
; state that this saved lies where TSS.RSP0 points (SDM vol. 3, figure 7-11).
TSS_RSP0                equ CPU_BASE + 4

extern user_text_start
extern user_text_size

        cfi_rows_section
        dd      ..@user_end - ..@user
..@user:
        dd      ..@cie_call
        dq      user_text_start, user_text_size
        db      DW_CFA_def_cfa_expression, 12, DW_OP_const8u
        dq      TSS_RSP0
        db      DW_OP_deref, DW_OP_plus_uconst, 64
        cfi_saved_at rbp, 16
        cfi_saved_at rflags, 24
        cfi_saved_at rbx, 32
        cfi_saved_at r12, 40
        cfi_saved_at r13, 48
        cfi_saved_at r14, 56
        cfi_saved_at r15, 64
        align   8, db DW_CFA_nop
..@user_end:
        __?SECT?__
