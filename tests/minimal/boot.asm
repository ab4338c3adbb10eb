; The shortest way into 64-bit mode, for QEMU's -kernel: a PVH note names the 32-bit entry, the first
; GiB is mapped where it lies, and kmain() runs. Your kernel has all this already.

        section .note.PVH note alloc noexec nowrite align=4
XEN_ELFNOTE_PHYS32_ENTRY equ 18         ; Xen, public/elfnote.h
        dd      4, 4, XEN_ELFNOTE_PHYS32_ENTRY
        db      "Xen", 0
        dd      start

        bits    32
        section .text progbits alloc exec nowrite align=16

extern kmain

global start
start:
        mov     eax, tables.directory + 3       ; present, writable
        mov     [tables.pdpt], eax
        mov     eax, tables.pdpt + 3
        mov     [tables], eax
        mov     ecx, 0
.page:
        mov     eax, ecx
        shl     eax, 21
        or      eax, 0x83                       ; present, writable, 2 MiB
        mov     [tables.directory + ecx * 8], eax
        inc     ecx
        cmp     ecx, 512
        jne     .page

        mov     eax, tables
        mov     cr3, eax
        mov     eax, 1 << 5                     ; CR4.PAE
        mov     cr4, eax
        mov     ecx, 0xC0000080                 ; IA32_EFER.LME
        rdmsr
        or      eax, 1 << 8
        wrmsr
        mov     eax, 1 << 31 | 1                ; CR0.PG, CR0.PE
        mov     cr0, eax
        lgdt    [gdtr]
        jmp     8:.long_mode

        bits    64
.long_mode:
        xor     eax, eax
        mov     ss, eax
        mov     rsp, stack_top
        call    kmain                           ; never returns

        section .data progbits alloc noexec write align=8
gdtr:
        dw      gdt_end - gdt - 1
        dq      gdt

; idt.c takes selector 8 for code; kmain() fills in the TSS.
global gdt
gdt:
        dq      0
        dq      0x00209A0000000000              ; code, 64 bits, present, DPL 0
        dq      0, 0                            ; the TSS
gdt_end:

        section .bss nobits alloc noexec write align=4096
tables: resb    4096
.pdpt:  resb    4096
.directory:
        resb    4096
        resb    16384
stack_top:
