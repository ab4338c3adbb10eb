; The witness of a storm: a program that fills every register, lets traps come at any of its
; instructions, and takes down what its registers then hold.
;
; RDI leads to a struct witness (kernel/storm/witness.h): `due` is loaded from it, `seen` is stored.
; Between the two no register is free, so RSP must lead back to it. But RSP is under test as well:
; therefore it is 32 above a multiple of 64 there, and the address stands above it. An RSP that is
; wrong by 16 still finds that, and is seen.
;
;       56      struct witness
;       32      <- RSP while traps come
;       0       a multiple of 64

%include "constant.inc"
%include "layout.inc"
%include "vectors.inc"
%include "x86.inc"
%include "storm/witness.def"

%macro offset 3
        %assign DUE_%2  %3
        %assign SEEN_%2 WITNESS_SEEN + %3
%endmacro
%define OFFSET(name, field, value) offset name, field, value
%include "trap/regs.def"

; Arguments: the move, xmm or ymm, the address.
%macro load_vectors 3
    %assign %%i 0
    %rep 16
        %1      %2 %+ %%i, [%3 + VECTOR_SIZE * %%i]
        %assign %%i %%i + 1
    %endrep
%endmacro

%macro store_vectors 3
    %assign %%i 0
    %rep 16
        %1      [%3 + VECTOR_SIZE * %%i], %2 %+ %%i
        %assign %%i %%i + 1
    %endrep
%endmacro

%macro load_due 1-*
    %rep %0
        mov     %1, [rdi + DUE_%1]
        %rotate 1
    %endrep
%endmacro

%macro store_seen 1-*
    %rep %0
        mov     [rax + SEEN_%1], %1
        %rotate 1
    %endrep
%endmacro

; From RDI = struct witness to RAX = struct witness, with RSP moved. Keep the flags between the two
; POPFQ: what is loaded must be what is stored, so no instruction there may change one.
; Arguments: the move, xmm or ymm.
%macro observe 2
        store_vectors %1, %2, rdi + WITNESS_KEPT ; another witness's, if its window was interrupted
        load_vectors %1, %2, rdi + STATE_VECTORS
        and     rsp, -64
        sub     rsp, 32
        mov     [rsp + 24], rdi
        mov     [rdi + DUE_rsp], rsp
        mov     [rdi + DUE_rbp], rbp
        push    qword [rdi + DUE_rflags] ; with IF, and at times with TF: from here on traps come
        popfq
        load_due rax, rcx, rdx, rbx, rsi, r8, r9, r10, r11, r12, r13, r14, r15, rdi

        int3
        mov     [rbx], rax              ; a page that may have to be mapped
        mov     rax, [rbx]
        times 8 nop

        pushfq
        push    rax
        mov     rax, rsp
        and     rax, -64
        mov     rax, [rax + 56]
        store_seen rcx, rdx, rbx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        pop     qword [rax + SEEN_rax]
        pop     qword [rax + SEEN_rflags]
        mov     [rax + SEEN_rsp], rsp
        store_vectors %1, %2, rax + WITNESS_SEEN + STATE_VECTORS
        load_vectors %1, %2, rax + WITNESS_KEPT
%endmacro

; void NAME(struct witness *)
;       In ring 0. RFLAGS come back as they were, so IF is what the caller has. Keep RBP the frame
;       pointer throughout: a backtrace finds its way, and a wrong one is seen all the same.
%macro kernel_witness 4
global %1:function (%4 - %1)
%1:
        push    rbp
        mov     rbp, rsp
        pushfq
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        observe %2, %3
        mov     rbp, [rax + DUE_rbp]
        lea     rsp, [rbp - 48]
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        popfq
        pop     rbp
        ret
%endmacro

; The same in ring 3, for ring3_call(): RSP leads to the page whose bottom is the struct witness.
%macro user_witness 4
global %1:function (%4 - %1)
%1:
        mov     rbp, rsp
        mov     rdi, rsp
        and     rdi, -WITNESS_PAGE
        observe %2, %3
        int     VECTOR_USER
%endmacro

; Arguments: the name, the move, xmm or ymm, what comes next.
        section .text progbits alloc exec nowrite align=16
        kernel_witness witness_xmm, movdqa, xmm, witness_ymm
        kernel_witness witness_ymm, vmovdqa, ymm, witness_end
global witness_end
witness_end:

        section .user_text progbits alloc exec nowrite align=16
        user_witness witness_user_xmm, movdqa, xmm, witness_user_ymm
        user_witness witness_user_ymm, vmovdqa, ymm, witness_user_end
global witness_user_end
witness_user_end:
