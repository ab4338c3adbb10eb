; The way into ring 3 and back, and its twin for ring 0: run a piece of code that may trap, that
; may clobber every register, and that may never come back by itself.
;
; Both keep the kernel's callee-saved state on the stack and its RSP where the caller says. To end
; the code from inside a trap, a handler makes the frame return to ring_return with that RSP, in
; ring 0: every slot of the frame is writable, so no other way out is needed.

%include "cfi.inc"
%include "x86.inc"

        section .text progbits alloc exec nowrite align=16

; The System V ABI's callee-saved registers, and RFLAGS: the code may leave DF, IF or AC set. RBP
; comes first, so that a backtrace out of the code, from ring 3 too, finds its way to our caller.
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

; uint64_t ring3_call(uint64_t rip, uint64_t rsp, uint64_t rflags, uint64_t *kernel_rsp)
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
        iretq
        cfi_end

; uint64_t ring0_call(void (*code)(void), uint64_t *kernel_rsp)
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
