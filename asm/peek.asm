; Reads that may be refused: of memory that may not be there, and of a register that this CPU may
; not have. The fault is the answer. So they can be asked of any address, at any time: of page 0, of
; a device, of what no page table reaches, and by a report on a kernel whose page tables are broken.

%include "cfi.inc"
%include "x86.inc"

; fixup FAULTING, NEXT: a #PF or #GP of the one instruction goes on at the other, and no handler
; hears of it. This is the exception table that trap.c looks up.
%macro fixup 2
        [section .fixups progbits alloc noexec nowrite align=8]
        dq      %1, %2
        __?SECT?__
%endmacro

        section .text progbits alloc exec nowrite align=16

; bool peek(void *to, uint64_t address, size_t size)
;       False if not all of it can be read. It leaves no trace, not even in CR2, so that a handler
;       may peek before it looks at what brought it here.
global peek:function (peek_msr - peek)
peek:
        cfi_begin call
        mov     rcx, rdx
        mov     rdx, cr2

        ; Ring 3's pages are read as well, whatever its protection keys forbid: the entry leaves PKRU
        ; as ring 3 had it. An NMI that comes in between must not rely on either bit.
        mov     r8, cr4
        mov     rax, r8
        and     rax, ~(CR4_SMAP | CR4_PKE)
        mov     cr4, rax
.read:
        rep movsb
        mov     eax, 1
.end:
        mov     cr4, r8
        ret
.refused:
        mov     cr2, rdx
        xor     eax, eax
        jmp     .end
        cfi_end
        fixup   .read, .refused

; bool peek_msr(uint32_t msr, uint64_t *value)
;       False if this CPU has no such register.
global peek_msr:function (peek_end - peek_msr)
peek_msr:
        cfi_begin call
        mov     ecx, edi
.read:
        rdmsr
        mov     [rsi], eax
        mov     [rsi + 4], edx
        mov     eax, 1
        ret
.refused:
        xor     eax, eax
        ret
        cfi_end
        fixup   .read, .refused
peek_end:
