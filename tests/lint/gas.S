// Stubs in the style of kernels in GAS: moves in place of pushes, a table of pointers, and no
// numbers in the names.

#ifdef BROKEN
#define R9_SLOT 56
#else
#define R9_SLOT 48
#endif

        .macro  stub name, vector, code
        .global \name
        .type   \name, @function
\name:
        .if     \code == 0
        pushq   $0
        .endif
        pushq   $\vector
        jmp     common
        .endm

        .text
        stub    divide, 0, 0
        stub    debug, 1, 0
        stub    invalid_tss, 10, 1
        stub    page, 14, 1

        .type   common, @function
common:
        subq    $120, %rsp
        movq    %rdi, 0(%rsp)
        movq    %rsi, 8(%rsp)
        movq    %rdx, 16(%rsp)
        movq    %rcx, 24(%rsp)
        movq    %rax, 32(%rsp)
        movq    %r8, 40(%rsp)
        movq    %r9, 48(%rsp)
        movq    %r10, 56(%rsp)
        movq    %r11, 64(%rsp)
        movq    %rbx, 72(%rsp)
        movq    %rbp, 80(%rsp)
        movq    %r12, 88(%rsp)
        movq    %r13, 96(%rsp)
        movq    %r14, 104(%rsp)
        movq    %r15, 112(%rsp)
        cld
        movq    %rsp, %rdi
        call    c_trap
        movq    0(%rsp), %rdi
        movq    8(%rsp), %rsi
        movq    16(%rsp), %rdx
        movq    24(%rsp), %rcx
        movq    32(%rsp), %rax
        movq    40(%rsp), %r8
        movq    R9_SLOT(%rsp), %r9
        movq    56(%rsp), %r10
        movq    64(%rsp), %r11
        movq    72(%rsp), %rbx
        movq    80(%rsp), %rbp
        movq    88(%rsp), %r12
        movq    96(%rsp), %r13
        movq    104(%rsp), %r14
        movq    112(%rsp), %r15
        addq    $136, %rsp
        iretq

        .section .rodata
        .global trap_table
trap_table:
        .quad   divide, debug
        .quad   0, 0, 0, 0, 0, 0, 0, 0
        .quad   invalid_tss
        .quad   0, 0, 0
        .quad   page

#ifdef TABLE_OF
        .type   many, @object
        .size   many, 8 * TABLE_OF
many:   .rept   TABLE_OF
        .quad   divide
        .endr
#endif

        .section .note.GNU-stack, "", @progbits
