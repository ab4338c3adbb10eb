; What makes of syscall.asm a kernel that QEMU can boot, for stublint to lint while it runs. It is
; in 64-bit mode by then: tests/minimal/boot.asm.

        bits    64
        default rel

extern  syscall_init, isr1, isr2
global  do_syscall, do_trap, kill_task

PRESENT_CODE    equ 0x00209A0000000000  ; DPL 0, 64 bits
PRESENT_DATA    equ 0x0000920000000000
DPL3            equ 0x0000600000000000
TSS             equ 0x30
CODE            equ 8

%macro gate 3                           ; gate VECTOR, STUB, IST
        lea     rax, [%2]
        mov     [idt + 16 * %1], ax
        mov     word [idt + 16 * %1 + 2], CODE
        mov     word [idt + 16 * %1 + 4], 0x8E00 | %3
        shr     rax, 16
        mov     [idt + 16 * %1 + 6], ax
%endmacro

        section .text
global kmain
kmain:
        lgdt    [gdt_pointer]
        mov     ax, CODE + 8
        mov     ss, ax
        mov     rax, tss
        mov     [gdt + TSS + 2], ax
        shr     rax, 16
        mov     [gdt + TSS + 4], al
        mov     word [gdt + TSS], 0x67
        mov     byte [gdt + TSS + 5], 0x89
        mov     ax, TSS
        ltr     ax
        mov     rax, stacks.first
        mov     [tss + 0x24], rax
        mov     rax, stacks.second
        mov     [tss + 0x2C], rax
    %ifdef BUG_NO_IST
        gate    1, isr1, 0
        gate    2, isr2, 0
    %else
        gate    1, isr1, 1
        gate    2, isr2, 2
    %endif
        lidt    [idt_pointer]
        call    syscall_init
        mov     ecx, 0xC0000080         ; IA32_EFER.SCE
        rdmsr
        or      eax, 1
        wrmsr
.halt:  hlt
        jmp     .halt

do_syscall:
do_trap:
kill_task:
        ret

        section .data
        align   8
gdt:    dq      0, PRESENT_CODE, PRESENT_DATA
    %ifdef BUG_GDT_ORDER                ; as if SYSRET took CS from the first
        dq      0, PRESENT_CODE | DPL3, PRESENT_DATA | DPL3
    %else
        dq      0, PRESENT_DATA | DPL3, PRESENT_CODE | DPL3
    %endif
        dq      0, 0                    ; the TSS
gdt_pointer:
        dw      $ - gdt - 1
        dq      gdt
idt_pointer:
        dw      16 * 3 - 1
        dq      idt

        section .bss
        alignb  16
idt:    resb    16 * 3
tss:    resb    0x68
        alignb  16
stacks: resb    4096
.first: resb    4096
.second:
