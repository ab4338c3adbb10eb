// What rustc makes of `extern "x86-interrupt"` functions: mangled names, no common path, XMM left
// to a soft-float target. BROKEN forgets the error code, as a handler does that is declared
// without its second argument.

        .text
        .global _ZN6kernel10interrupts18breakpoint_handler17h0123456789abcdefE
        .type   _ZN6kernel10interrupts18breakpoint_handler17h0123456789abcdefE, @function
_ZN6kernel10interrupts18breakpoint_handler17h0123456789abcdefE:
        pushq   %rax
        cld
        incq    ticks(%rip)
        movq    ticks(%rip), %rax
        popq    %rax
        iretq

        .global _ZN6kernel10interrupts18page_fault_handler17h0123456789abcdefE
        .type   _ZN6kernel10interrupts18page_fault_handler17h0123456789abcdefE, @function
_ZN6kernel10interrupts18page_fault_handler17h0123456789abcdefE:
        pushq   %rax
        cld
        movq    8(%rsp), %rax
        movq    %rax, ticks(%rip)
        popq    %rax
#ifndef BROKEN
        addq    $8, %rsp
#endif
        iretq

        .global _RNvNtCsbHkfdnZ6ZYT_6kernel10interrupts20double_fault_handler
        .type   _RNvNtCsbHkfdnZ6ZYT_6kernel10interrupts20double_fault_handler, @function
_RNvNtCsbHkfdnZ6ZYT_6kernel10interrupts20double_fault_handler:
        cld
        subq    $16, %rsp
        leaq    24(%rsp), %rdi
        call    panic
        ud2
        addq    $24, %rsp
        iretq

        .bss
ticks:  .quad   0

        .section .note.GNU-stack, "", @progbits
