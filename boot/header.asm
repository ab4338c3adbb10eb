; The Multiboot2 header by which a boot loader recognises the kernel: Multiboot2
; Specification 2.0, section 3.1.

MAGIC                   equ 0xE85250D6
ARCHITECTURE_I386       equ 0           ; the loader starts us in 32-bit protected mode
TAG_END                 equ 0
TAG_FRAMEBUFFER         equ 5
OPTIONAL                equ 1           ; boot all the same where there is no such screen

section .multiboot2 progbits alloc noexec nowrite align=8

header:
        dd      MAGIC
        dd      ARCHITECTURE_I386
        dd      header_end - header
        dd      -(MAGIC + ARCHITECTURE_I386 + (header_end - header))

        dw      TAG_FRAMEBUFFER, OPTIONAL
        dd      20
        dd      1024, 768, 32           ; preferred width, height, bits a pixel
        align   8, db 0

        dw      TAG_END, 0
        dd      8
header_end:
