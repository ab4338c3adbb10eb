; A stub of its own for every exception, each calling its own C function: all with the same mistake,
; a stack that nobody aligned.

%macro isr 1
extern handler%1
global isr%1:function
isr%1:
    %if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21 || %1 = 29 || %1 = 30
    %else
        push    qword 0
    %endif
        cld
        push    rax
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        mov     rdi, rsp
        call    handler%1
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
        add     rsp, 8
        iretq
%endmacro

        section .text
%assign v 0
%rep 32
        isr     v
    %assign v v + 1
%endrep
