# In GAS: registers are moved, not pushed, SWAPGS by the saved CS, for the NMI by the GS base itself,
# and a table of pointers to the stubs.

        .macro  stub vector, to=entry
        .global isr\vector
        .type   isr\vector, @function
isr\vector:
        pushq   $0
        pushq   $\vector
        jmp     \to
        .endm

        .macro  save
        subq    $120, %rsp
        movq    %rdi, 112(%rsp)
        movq    %rsi, 104(%rsp)
        movq    %rdx, 96(%rsp)
        movq    %rcx, 88(%rsp)
        movq    %rax, 80(%rsp)
        movq    %r8, 72(%rsp)
        movq    %r9, 64(%rsp)
        movq    %r10, 56(%rsp)
        movq    %r11, 48(%rsp)
        movq    %rbx, 40(%rsp)
        movq    %rbp, 32(%rsp)
        movq    %r12, 24(%rsp)
        movq    %r13, 16(%rsp)
        movq    %r14, 8(%rsp)
        movq    %r15, 0(%rsp)
        .endm

        .macro  restore
        movq    0(%rsp), %r15
        movq    8(%rsp), %r14
        movq    16(%rsp), %r13
        movq    24(%rsp), %r12
        movq    32(%rsp), %rbp
        movq    40(%rsp), %rbx
        movq    48(%rsp), %r11
        movq    56(%rsp), %r10
        movq    64(%rsp), %r9
        movq    72(%rsp), %r8
        movq    80(%rsp), %rax
        movq    88(%rsp), %rcx
        movq    96(%rsp), %rdx
        movq    104(%rsp), %rsi
        movq    112(%rsp), %rdi
        .endm

        .text
        stub    0
        stub    1
        stub    2, to=paranoid          # @nmi
        stub    3
        .global isr6
        .type   isr6, @function
isr6:                                   # @first6
        pushq   $0                      # @dummy6
        pushq   $6
        jmp     entry
        .global isr7
        .type   isr7, @function
isr7:   pushq   $0
        pushq   $7                      # @vector7
        jmp     entry
        .global isr11
        .type   isr11, @function
isr11:  pushq   $11
        jmp     entry
        .global isr12
        .type   isr12, @function
isr12:  pushq   $12
        jmp     entry
        .global isr13
        .type   isr13, @function
isr13:                                  # @first13
        pushq   $13
        jmp     entry
        .global isr14
        .type   isr14, @function
isr14:  pushq   $14
        jmp     entry
        stub    32
        stub    200

        .type   entry, @function
entry:                                  # @entry
        testb   $3, 24(%rsp)            # @test_in
        jz      1f                      # @test_in
        swapgs                          # @swap_in
1:      save
        cld                             # @cld
        movq    %rsp, %rdi              # @saved
        movq    %rsp, %rbx
        andq    $-16, %rsp
        call    handler                 # @call
        movq    %rbx, %rsp              # @back
        restore
        addq    $120, %rsp
                                        # @restored
        testb   $3, 24(%rsp)            # @test_out
        jz      2f                      # @test_out
        swapgs                          # @swap_out
2:      addq    $16, %rsp               # @drop
        iretq                           # @iretq

        .type   paranoid, @function
paranoid:
        save
        movl    $0xC0000101, %ecx       # IA32_GS_BASE: the kernel's is in the upper half
        rdmsr
        movl    %edx, %r12d
        testl   %r12d, %r12d
        js      3f
        swapgs
3:      cld
        movq    %rsp, %rdi
        movq    %rsp, %rbx
        andq    $-16, %rsp
        call    handler
        movq    %rbx, %rsp
        testl   %r12d, %r12d
        js      4f
        swapgs
4:      restore
        addq    $136, %rsp
        iretq

        .bss
parked: .quad   0

        .section .note.GNU-stack, "", @progbits
