; A complete interrupt path that keeps the contract: SWAPGS, the paranoid way for NMI and #MC, an
; error code that is not there. test_stublint.py breaks it by one -D at a time, and expects stublint
; to name what is broken.

extern handler

%macro BUG 2+                           ; BUG name, what happens instead of nothing
    %ifdef BUG_%1
        %2
    %endif
%endmacro

%macro UNLESS 2+                        ; UNLESS name, what happens otherwise
    %ifndef BUG_%1
        %2
    %endif
%endmacro

%macro stub 1
    %assign has_code 0
    %if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21 || %1 = 29 || %1 = 30
        %assign has_code 1
    %endif
    %assign has_dummy 1 - has_code
    %ifdef BUG_DUMMY_MISSING
        %if %1 = 6
            %assign has_dummy 0
        %endif
    %endif
    %ifdef BUG_DUMMY_EXTRA
        %if %1 = 13
            %assign has_dummy 1
        %endif
    %endif
    %assign number %1
    %ifdef BUG_VECTOR_WRONG
        %if %1 = 7
            %assign number 6
        %endif
    %endif
global isr%1:function
isr%1:
    %ifdef BUG_ENDBR_MISSING
        %if %1 <> 7
        endbr64
        %endif
    %else
        endbr64
    %endif
    %if %1 = 22
        BUG     WILD_ACCESS, mov rax, [rax]
        BUG     LOST, jmp [abs nowhere]
        BUG     INVALID, db 0x06
        BUG     PADDING, times 2 int3
        BUG     HALTS, push qword 0
        BUG     HALTS, push qword 0
        BUG     OUTGROWN, times 20 nop
    %endif
    %if %1 = 13
        BUG     CODE_WRONG, mov qword [rsp], 5
    %endif
    %if has_dummy
        %ifdef BUG_DUMMY_BY_SUB
        sub     rsp, 8
        %else
        push    qword 0
        %endif
    %endif
    %ifdef BUG_SIGN_EXTENDED
        %if number > 127
        push    strict byte number - 256
        %else
        push    strict byte number
        %endif
    %else
        push    strict qword number
    %endif
    %if has_code
        jmp     strict near entry_code
    %elif %1 = 2 || %1 = 18
        UNLESS  NOT_PARANOID, jmp strict near entry_paranoid
        BUG     NOT_PARANOID, jmp strict near entry
    %else
        jmp     strict near entry
    %endif
        align   32, int3
%endmacro

%macro save 0
        cld
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rbp
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
    %ifdef BUG_R11_UNSAVED
        push    qword 0
    %elifdef BUG_PARKED
        mov     [rel parked], r11
        push    qword 0
    %else
        push    r11
    %endif
        push    r12
        push    r13
        push    r14
        push    r15
%endmacro

%macro restore 0
        pop     r15
        pop     r14
        pop     r13
        pop     r12
    %ifdef BUG_R11_UNSAVED
        add     rsp, 8
    %elifdef BUG_PARKED
        add     rsp, 8
        mov     r11, [rel parked]
    %else
        pop     r11
    %endif
        pop     r10
    %ifdef BUG_SWAPPED
        pop     r8
        pop     r9
    %else
        pop     r9
        pop     r8
    %endif
        pop     rdi
        pop     rsi
        pop     rbp
        pop     rbx
        pop     rdx
        pop     rcx
    %ifdef BUG_RAX_RETURNED
        add     rsp, 8
    %else
        pop     rax
    %endif
%endmacro

        section .text
%assign v 0
%rep 24
        stub    v
    %assign v v + 1
%endrep
        stub    128
        stub    200

global entry:function
entry_code:
    %ifndef BUG_NO_CODE_FRAME
        test    spl, 8
        jnz     entry
        push    qword [rsp]
        mov     qword [rsp + 8], 0
    %endif
entry:
        BUG     EARLY_STI, sti
        BUG     GS_ACCESS, push qword [gs:0]
        BUG     GS_ACCESS, add rsp, 8
    %ifdef BUG_SWAPGS_ALWAYS
        swapgs
    %elifndef BUG_SWAPGS_NEVER
        test    byte [rsp + 24], 3      ; cs
        jz      .from_kernel
        swapgs
.from_kernel:
    %endif
        save
        BUG     NO_CLD, std
        BUG     NO_CLD, mov rax, [rsp + 152]
        BUG     NO_CLD, push rax
        BUG     NO_CLD, popfq
        UNLESS  NO_CLAC, clac
        BUG     XMM_CHANGED, pxor xmm9, xmm9
        BUG     GS_LOADED, mov gs, ax
        BUG     BELOW_RSP, mov [rsp - 16], rax
        BUG     ABOVE_FRAME, mov [rsp + 176], rax
        BUG     EXCEPTION, fxsave64 [rsp - 1000]
        BUG     MISALIGNED_OPERAND, movaps [rsp - 1000], xmm0
        BUG     UNKNOWN, vpxord zmm0, zmm0, zmm0
        mov     rdi, rsp
        mov     rbx, rsp
        and     rsp, -16
        BUG     CR2_EARLY, mov rax, cr2
        BUG     CR2_AFTER_ACCESS, mov rax, [rbx + 136]      ; the instruction that faulted
        BUG     CR2_AFTER_ACCESS, movzx eax, byte [rax]
        BUG     CR2_AFTER_ACCESS, mov rax, cr2
        BUG     BREAKPOINT, int3
        BUG     MXCSR_LOADED, ldmxcsr [rel mxcsr]
        BUG     FNINIT, fninit
        BUG     VZEROUPPER, vzeroupper
        BUG     FS_LOADED, mov fs, ax
        BUG     CR3_LOADED, mov rax, cr3
        BUG     CR3_LOADED, xor rax, 0x1000
        BUG     CR3_LOADED, mov cr3, rax
        BUG     FXSAVE, sub rsp, 512
        BUG     FXSAVE, fxsave64 [rsp]
        BUG     MISALIGNED, sub rsp, 8
        BUG     MISALIGNED_SAVE, sub rsp, 24
        BUG     MISALIGNED_SAVE, call handler
        BUG     MISALIGNED_SAVE, movaps [rsp], xmm0
        call    handler
    %ifdef BUG_RETURNS_RSP
        mov     rsp, rax
    %elifdef BUG_SWITCHES
        mov     rsp, [rel stack]
    %else
        mov     rsp, rbx
    %endif
        BUG     CR2_LATE, mov rax, cr2
        BUG     HALTS, hlt
        BUG     POPPED_TOO_FEW, push rax
        restore
    %ifdef BUG_SWAPGS_ALWAYS
        swapgs
    %elifndef BUG_SWAPGS_NEVER
        test    byte [rsp + 24], 3
        jz      .to_kernel
        BUG     SWAPGS_INTERRUPTIBLE, sti
        UNLESS  SWAPGS_ONCE, swapgs
.to_kernel:
    %endif
        BUG     FLAGS_REWRITTEN, xor qword [rsp + 32], 0x200
        BUG     OVERWRITTEN, add rsp, 40
        BUG     OVERWRITTEN, push rax
        BUG     OVERWRITTEN, sub rsp, 32
    %ifdef BUG_CODE_KEPT
        add     rsp, 8
    %elifdef BUG_CODE_TWICE
        add     rsp, 24
    %elifdef BUG_OFF_FRAME
        sub     rsp, 16
    %else
        add     rsp, 16
    %endif
    %ifdef BUG_RET
        ret
    %elifdef BUG_IRET32
        iretd
    %else
        iretq
    %endif

; NMI and #MC may come before the SWAPGS of another entry: the GS base itself tells. It is the
; kernel's if it lies in the upper half.
entry_paranoid:
        save
        mov     rbx, rsp
        mov     ecx, 0xC0000101         ; IA32_GS_BASE
        rdmsr
        xor     r12d, r12d
        test    edx, edx
        js      .kernel_gs
        swapgs
        inc     r12d
.kernel_gs:
        clac
        mov     rdi, rsp
        and     rsp, -16
        call    handler
        mov     rsp, rbx
        test    r12d, r12d
        jz      .same_gs
        swapgs
.same_gs:
        restore
        add     rsp, 16
        iretq

        section .rodata
        align   4
mxcsr:  dd      0x1F80

        section .bss
parked: resq    1
nowhere: resq   1
stack:  resq    1
