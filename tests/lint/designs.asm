; Interrupt paths that are right, each in a way of its own, chosen by one -D: what stublint once
; called wrong.

        default rel

%ifdef DESIGN_GS_IN_C
        %define HANDLER_HERE
%endif
%ifdef DESIGN_SAVES_ALL
extern gentle
        %define handler gentle
%elifndef HANDLER_HERE
extern handler
%endif

        %include "scratch.inc"

; swap_gs_from_ring3 OFFSET: of the saved CS.
%macro swap_gs_from_ring3 1
        test    byte [rsp + %1], 3
        jz      %%kernel
        swapgs
%%kernel:
%endmacro

        section .text
%ifdef DESIGN_SAVES_ALL                 ; C is compiled with no_caller_saved_registers
isr0:   cld
        sub     rsp, 8
        call    gentle
        add     rsp, 8
        iretq
isr1:   jmp     isr0
isr3:   jmp     isr0

%elifdef DESIGN_HALTS                   ; none returns, and only the one with a code is aligned
isr0:
isr1:
isr3:   cld
        mov     rdi, rsp
        call    handler
        hlt

extern  page_fault
isr14:  cld
        mov     rdi, rsp
        call    page_fault
        hlt

%else
%macro isr 1
global isr%1:function
isr%1:  push    qword 0
        push    qword %1
    %ifdef DESIGN_CALL_NEXT             ; RIP the old way
        call    .here
.here:  lea     rsp, [rsp + 8]
    %endif
        jmp     entry
%endmacro

        isr     0
        isr     1
        isr     3
%ifdef DESIGN_GS_IN_C
isr2:   push    qword 0
        push    qword 2
        save_scratch
        cld
        mov     rdi, rsp
        call    handler                 ; the NMI's: it looks at GS itself, and mends it
        restore_scratch
        add     rsp, 16
        iretq

global handler:function
handler:
        call    set_gs
        ret
set_gs: push    rbx
        mov     ecx, 0xC0000101         ; IA32_GS_BASE
        rdmsr
        test    edx, edx
        js      .kernel
        mov     eax, [percpu]
        mov     edx, [percpu + 4]
        wrmsr
.kernel:
        pop     rbx
        ret
%endif

global entry:function
entry:
%ifdef DESIGN_SWAPS_BACK                ; GS is needed for one word only; C does not use it
        swap_gs_from_ring3 24
        push    qword [gs:0]
        pop     qword [percpu]
        swap_gs_from_ring3 24
%elifdef DESIGN_GS_IN_C
        swap_gs_from_ring3 24
%endif
        save_scratch
        cld
%ifdef DESIGN_SGDT                      ; GS and the GDT begin in the same place, on each CPU
        sub     rsp, 16
        sgdt    [rsp]
        mov     ecx, 0xC0000101
        rdmsr
        shl     rdx, 32
        or      rax, rdx
        mov     esi, 0
        cmp     rax, [rsp + 2]
        lea     rsp, [rsp + 16]
        push    rsi
        push    rsi
        je      .kernel
        swapgs
        mov     byte [rsp], 1
.kernel:
%elifdef DESIGN_NO_SWAPGS               ; ring 3 does not exist, or cannot change GS
        mov     rax, [gs:0]
%elifdef DESIGN_EXTERN                  ; a variable of another object
extern  buffer_size, buffer
        mov     rcx, [buffer_size]
        lea     rdi, [buffer]
        xor     eax, eax
        rep stosb
%endif
%ifdef DESIGN_ALL_STATE                 ; everything else that a trap may disturb is kept as well
        mov     [percpu], r8            ; for a debugger: it is on the stack, too
        push    rbp
        push    r12
        mov     rbp, rsp
        mov     rax, cr2
        push    rax
        mov     rax, cr3
        push    rax
        btc     rax, 12
        mov     cr3, rax
        mov     ecx, 0xC0000100         ; IA32_FS_BASE
        rdmsr
        push    rax
        push    rdx
        xor     eax, eax
        mov     fs, ax
        sub     rsp, 512
        fxsave64 [rsp]
        fninit
        ldmxcsr [mxcsr]
        mov     r12, rsp
%endif
        mov     rdi, rsp
        call    handler
%ifdef DESIGN_ALL_STATE
        fxrstor64 [r12]
        add     rsp, 512
        pop     rdx
        pop     rax
        mov     ecx, 0xC0000100
        wrmsr
        pop     rax
        mov     cr3, rax
        mov     rsp, rbp
        pop     r12
        pop     rbp
%endif
%ifdef DESIGN_SGDT
        cmp     byte [rsp], 0
        je      .same
        swapgs
.same:  add     rsp, 16
%endif
        restore_scratch
%ifdef DESIGN_GS_IN_C
        swap_gs_from_ring3 24
%endif
        add     rsp, 16
        iretq
%endif

        section .rodata
        align   4
mxcsr:  dd      0x1F80

        section .bss
percpu: resq    1
