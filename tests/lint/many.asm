; A stub of its own for every exception, each calling its own C function: all with the same mistake,
; a stack that nobody aligned.

        %include "scratch.inc"

%macro isr 1
extern handler%1
global isr%1:function
isr%1:
    %if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21 || %1 = 29 || %1 = 30
    %else
        push    qword 0
    %endif
        cld
        save_scratch
        mov     rdi, rsp
        call    handler%1
        restore_scratch
        add     rsp, 8
        iretq
%endmacro

        section .text
%assign v 0
%rep 32
        isr     v
    %assign v v + 1
%endrep
