; The way of an application processor to C. A startup IPI wakes it in real mode (SDM vol. 3, 8.4.4),
; at the first byte of a page below 1 MiB, into which kernel/devices/ap.c has copied ap_trampoline.
; That leads to protected mode, where start.asm's way into long mode is this CPU's as well.

%include "cfi.inc"
%include "layout.inc"
%include "x86.inc"

SELECTOR_CODE32         equ 0x08
SELECTOR_DATA32         equ 0x10

        bits    16
        section .rodata progbits alloc noexec nowrite align=8

; It runs at another place than it is linked for. CS is its first byte, all else must be absolute.
global ap_trampoline
global ap_trampoline.end
ap_trampoline:
        cli
        o32 lgdt [cs:.gdtr - ap_trampoline]
        mov     eax, cr0
        or      eax, CR0_PE
        mov     cr0, eax
        jmp     dword SELECTOR_CODE32:protected_mode
.gdtr:
        dw      gdt.end - gdt - 1
        dd      gdt
.end:

        bits    32
        section .boot_text progbits alloc exec nowrite align=16

extern enter_long_mode

static protected_mode:function (gdt - protected_mode)
protected_mode:
        cfi_begin call
        cfi_outermost
        mov     eax, SELECTOR_DATA32    ; real mode has left DS a limit of 64 KiB
        mov     ds, eax
        mov     ebp, ap_higher_half - KERNEL_BASE
        jmp     enter_long_mode
        cfi_end

; Flat segments of 4 GiB, accessed: SDM vol. 3, 3.2.1.
gdt:
        dq      0
        dq      0x00CF9B000000FFFF      ; SELECTOR_CODE32: execute, read
        dq      0x00CF93000000FFFF      ; SELECTOR_DATA32: read, write
.end:

        bits    64
        section .text progbits alloc exec nowrite align=16

extern boot_gdtr
extern ap_cr3
extern ap_rsp
extern ap_main

; The stack that kernel/devices/ap.c offers is one CPU's: who takes it leaves none, and who finds none is
; too late, and halts for good.
static ap_higher_half:function (ap_higher_half_end - ap_higher_half)
ap_higher_half:
        cfi_begin call
        cfi_outermost
        xor     eax, eax
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        lgdt    [rel boot_gdtr]
        xor     ebp, ebp                ; ends the chain of frame pointers

        xor     ecx, ecx
        xchg    rcx, [rel ap_rsp]
        test    rcx, rcx
        jz      .halt

        ; The stack is mapped by the kernel's own tables alone.
        mov     rax, [rel ap_cr3]
        mov     rsp, rcx
        mov     cr3, rax
        call    ap_main                 ; never returns
        ud2
.halt:  hlt                             ; an NMI may wake it
        jmp     .halt
        cfi_end
ap_higher_half_end:
