; For the bench: the least that a path with our frame can be, and the shapes of other houses' paths,
; sketched from memory and not copied: what each does between delivery and resumption of an
; interrupt that came in ring 0.
;
; What ring 3 cannot run is left out: SWAPGS, CLAC, LFENCE behind a patched alternative. Their
; tests for "did this come from ring 3" test bit 3 of CS, which is clear in ring 3's selector, so
; that the bench goes the way of an interrupt that came in ring 0.

RING_BIT                equ 8

extern trap_dispatch

        section .text

; A path of the bench: `path linux` opens linux_none, `path_code linux` ends it and opens
; linux_code, `path_common linux` opens what both share.
%macro path 1
        align   64, int3
global %1_none:function (%1_none_end - %1_none)
%1_none:
%endmacro

%macro path_code 1
%1_none_end:
        align   16, int3
global %1_code:function (%1_code_end - %1_code)
%1_code:
%endmacro

%macro path_common 1
%1_code_end:
        align   64, int3
global %1_common:function (%1_end - %1_common)
%1_common:
%endmacro

%macro push_all 1-*
    %rep %0
        push    %1
        %rotate 1
    %endrep
%endmacro

%macro pop_all 1-*
    %rep %0
        %rotate -1
        pop     %1
    %endrep
%endmacro

; The bare minimum: the dummy, the vector, a jump, fifteen pushes, the call, and back. xv6's 64-bit
; descendants do no more. Keep everything else out: the row says what all else costs.
        path    bare
        push    0
        push    strict qword 32
        jmp     bare_common
        path_code bare
        push    strict qword 14
        jmp     bare_common
        path_common bare
        push_all rax, rcx, rdx, rbx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        mov     rdi, rsp
        call    trap_dispatch
        pop_all rax, rcx, rdx, rbx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        add     rsp, 16
        iretq
bare_end:

; Linux, arch/x86/entry: a stub of its own for each vector calls the common save, which clears the
; registers against speculation and looks for the few places where an interrupt needs repair.
%macro linux_stub 1
        endbr64
        cld
    %if %1
        call    linux_common            ; the CPU's code is in orig_rax's slot
    %else
        push    -1
        call    linux_common
    %endif
        mov     rdi, rsp
    %if %1
        mov     rsi, [rsp + 120]
        mov     qword [rsp + 120], -1
    %endif
        call    trap_dispatch
        jmp     linux_return
%endmacro

        path    linux
        linux_stub 0
        path_code linux
        linux_stub 1
        path_common linux
        push    rsi
        mov     rsi, [rsp + 8]          ; the return address
        mov     [rsp + 8], rdi
        push_all rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
        push    rsi
        xor     esi, esi
        xor     edi, edi
        xor     edx, edx
        xor     ecx, ecx
        xor     r8d, r8d
        xor     r9d, r9d
        xor     r10d, r10d
        xor     r11d, r11d
        xor     ebx, ebx
        xor     ebp, ebp
        xor     r12d, r12d
        xor     r13d, r13d
        xor     r14d, r14d
        xor     r15d, r15d
        test    byte [rsp + 144], RING_BIT
        jnz     .repair
        lea     rcx, [rel linux_iret]
        cmp     [rsp + 136], rcx
        je      .repair
        mov     eax, ecx
        cmp     [rsp + 136], rax
        je      .repair
        cmp     qword [rsp + 136], linux_common
        je      .repair
        lea     rax, [rsp + 8]
        ret
.repair:
        ud2

linux_return:
        test    byte [rsp + 136], RING_BIT
        jnz     linux_common.repair
        pop_all rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
        add     rsp, 8
        jmp     linux_iret
linux_iret:
        test    byte [rsp + 32], 4      ; SS in the LDT
        jnz     linux_common.repair
        iretq
linux_end:

; Fuchsia's Zircon, kernel/arch/x86: DF, all registers, one compare for the vector that must not
; touch GS, one test for the ring.
        path    zircon
        push    0
        push    strict qword 32
        jmp     zircon_common
        path_code zircon
        push    strict qword 14
        jmp     zircon_common
        path_common zircon
        cld
        push_all rax, rbx, rcx, rdx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        cmp     qword [rsp + 120], 2
        je      .special
        test    byte [rsp + 144], RING_BIT
        jnz     .special
        mov     rdi, rsp
        call    trap_dispatch
        test    byte [rsp + 144], RING_BIT
        jnz     .special
        pop_all rax, rbx, rcx, rdx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        add     rsp, 16
        iretq
.special:
        ud2
zircon_end:

; kvm-unit-tests, lib/x86/desc.c: a frame with a slot for every register, RSP's skipped.
        path    kvm_unit_tests
        push    0
        push    strict qword 32
        jmp     kvm_unit_tests_common
        path_code kvm_unit_tests
        push    strict qword 14
        jmp     kvm_unit_tests_common
        path_common kvm_unit_tests
        push_all r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp
        sub     rsp, 8
        push_all rbx, rdx, rcx, rax
        mov     rdi, rsp
        call    trap_dispatch
        pop_all rbx, rdx, rcx, rax
        add     rsp, 8
        pop_all r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp
        add     rsp, 16
        iretq
kvm_unit_tests_end:

        section .note.GNU-stack noalloc noexec nowrite progbits
