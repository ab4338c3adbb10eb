; A Multiboot kernel that sets up SYSCALL's registers and stops: stublint reads them from a running
; QEMU.

%macro set_msr 3                        ; set_msr NUMBER, HIGH, LOW
        mov     ecx, %1
        mov     edx, %2
        mov     eax, %3
        wrmsr
%endmacro

        section .text
        dd      0x1BADB002, 0, -0x1BADB002
global _start
_start: set_msr 0x176, 0, 0x00345678
        set_msr 0xC0000081, 0x001B0008, 0
        set_msr 0xC0000082, 0xFFFFFFFF, 0x80123456
        set_msr 0xC0000084, 0, 0x47700
.halt:  hlt
        jmp     .halt
