; The first 64-bit code, at the kernel's own addresses: set up the stack, call boot_main() and, on
; the page tables that it has built, kmain().

%include "cfi.inc"
%include "layout.inc"

        bits    64
        section .text progbits alloc exec nowrite align=16

extern boot_gdtr
extern boot_stack.top
extern boot_main
extern kmain

global higher_half:function (higher_half_end - higher_half)
higher_half:
        cfi_begin call
        cfi_outermost
        xor     eax, eax
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     rsp, KERNEL_BASE + boot_stack.top
        lgdt    [rel boot_gdtr]
        xor     ebp, ebp                ; ends the chain of frame pointers
        mov     edi, edi                ; boot_main(physical address), zero-extended
        call    boot_main               ; builds the kernel's own page tables

        ; With the boot mapping goes the boot stack: no call or return between these two.
        mov     cr3, rax
        mov     rsp, KERNEL_STACK_HIGH
        call    kmain                   ; never returns
        ud2
        cfi_end
higher_half_end:
