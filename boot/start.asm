; From the boot loader to long mode: check the loader and the CPU, map the low 4 GiB twice (where it
; is, for us, and in the higher half, for the kernel), and go on in higher_half.asm. The loader's
; contract is Multiboot2 Specification 2.0, section 3.3; the way into long mode is SDM vol. 3, 9.8.5.

%include "cfi.inc"
%include "layout.inc"
%include "x86.inc"

LOADER_MAGIC            equ 0x36D76289
TABLE_SIZE              equ 4096
ENTRIES                 equ 512
LARGE_PAGE              equ 2 << 20
LOW_TABLES              equ 4           ; 4 page directories of 1 GiB: all that 32 bits reach

        bits    32
        section .boot_text progbits alloc exec nowrite align=16

global start:function
start:
        cfi_begin call
        cfi_outermost
        cli
        cld
        mov     esp, boot_stack.top
        mov     esi, not_multiboot2
        cmp     eax, LOADER_MAGIC
        jne     fail
        mov     edi, ebx                ; physical address of the boot information

        mov     esi, no_long_mode
        mov     eax, CPUID_EXTENDED     ; does CPUID know the leaf that we need?
        cpuid
        cmp     eax, CPUID_EXTENDED + 1
        jb      fail
        mov     eax, CPUID_EXTENDED + 1
        cpuid
        test    edx, CPUID_LM
        jz      fail
        mov     esi, no_execute_disable
        test    edx, CPUID_NX
        jz      fail

        ; One directory entry maps 2 MiB; the four directories lie one after the other.
        mov     eax, PTE_PS | PTE_RW | PTE_P
        mov     ecx, 0
.directory:
        mov     [directories + ecx * 8], eax
        mov     dword [directories + ecx * 8 + 4], 0
        add     eax, LARGE_PAGE
        inc     ecx
        cmp     ecx, LOW_TABLES * ENTRIES
        jne     .directory

        ; The kernel's half is the last 2 GiB: entry 511 of the PML4, entry 510 of its table.
        mov     dword [pml4], low + PTE_RW + PTE_P
        mov     dword [pml4 + 511 * 8], high + PTE_RW + PTE_P
        mov     dword [high + 510 * 8], directories + PTE_RW + PTE_P
        mov     eax, directories + PTE_RW + PTE_P
        mov     ecx, 0
.low:
        mov     [low + ecx * 8], eax
        add     eax, TABLE_SIZE
        inc     ecx
        cmp     ecx, LOW_TABLES
        jne     .low

        mov     ebp, higher_half - KERNEL_BASE

; EBP: what to go on with in the kernel's half, as a physical address. Any CPU that is in protected mode
; may come by here, once the first has made the tables.
global enter_long_mode
enter_long_mode:
        mov     eax, pml4
        mov     cr3, eax
        ; Write CR4 and EFER whole: the loader may leave any bit in them. CR4.LA57 would have the
        ; CPU read these tables as five levels, and cannot be changed in long mode.
        mov     eax, CR4_PAE
        mov     cr4, eax
        mov     ecx, IA32_EFER
        mov     eax, IA32_EFER_LME | IA32_EFER_NXE
        xor     edx, edx
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        lgdt    [gdtr]
        jmp     SELECTOR_KERNEL_CODE:long_mode

; Say the text at ESI on the serial line and on the VGA text screen, then halt.
fail:
        mov     dx, COM1 + 3            ; line control: 8 data bits, no parity, 1 stop bit
        mov     al, 0x83                ; with the divisor latch open
        out     dx, al
        mov     dx, COM1
        mov     ax, 1                   ; divisor 1 is 115200 baud
        out     dx, al
        mov     al, ah
        inc     dx
        out     dx, al
        mov     dx, COM1 + 3
        mov     al, 0x03
        out     dx, al
        mov     edi, VGA_TEXT
.next:
        lodsb
        test    al, al
        jz      .halt
        cmp     al, ' '                 ; the line's end is for the serial line alone
        jb      .serial
        mov     ah, VGA_WHITE_ON_RED
        stosw
.serial:
        mov     ah, al
        mov     dx, COM1 + 5            ; line status
        mov     ecx, 100000             ; a machine without a serial port must not hang here
.wait:
        in      al, dx
        test    al, 0x20                ; transmitter empty
        loopz   .wait
        mov     al, ah
        mov     dx, COM1
        out     dx, al
        jmp     .next
.halt:
        hlt
        jmp     .halt

COM1                    equ 0x3F8
VGA_TEXT                equ 0xB8000
VGA_WHITE_ON_RED        equ 0x4F

not_multiboot2:
        db      "Barestub: not started by a Multiboot2 boot loader. Boot it with GRUB's multiboot2 "
        db      "command. Halted.", 13, 10, 0
no_long_mode:
        db      "Barestub: this CPU has no long mode (x86-64). Halted.", 13, 10, 0
no_execute_disable:
        db      "Barestub: this CPU has no execute-disable pages (NX). Halted.", 13, 10, 0

gdtr:
        dw      boot_gdt.end - boot_gdt - 1
        dd      boot_gdt - KERNEL_BASE

extern higher_half

        bits    64
long_mode:
        mov     ebp, ebp                ; the upper half is undefined: SDM vol. 1, 3.4.1.1
        mov     rax, KERNEL_BASE
        add     rax, rbp
        jmp     rax
        cfi_end

; In the image, which the kernel's own tables map as well: up to gdt_init() a trap finds its code
; segment here. It is read-only, so "accessed" is set.
        section .rodata progbits alloc noexec nowrite align=8

boot_gdt:
        dq      0
        dq      0x00209B0000000000      ; SELECTOR_KERNEL_CODE: 64 bits, present, DPL 0, accessed
.end:
global boot_gdtr
boot_gdtr:
        dw      boot_gdt.end - boot_gdt - 1
        dq      boot_gdt

        section .boot_bss nobits alloc noexec write align=CPU_REGION_SIZE

; A region as kernel/trap/stacks.h has it: a trap finds the struct cpu at its base.
boot_region:    resb KERNEL_STACK_LOW - CPU_BASE
global boot_stack.top
boot_stack:     resb CPU_REGION_SIZE - (boot_stack - boot_region)
.top:
pml4:           resb TABLE_SIZE
low:            resb TABLE_SIZE
high:           resb TABLE_SIZE
directories:    resb TABLE_SIZE * LOW_TABLES
