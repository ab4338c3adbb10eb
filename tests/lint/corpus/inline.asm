; Every stub is complete in itself, realigns by RBP, and calls a function of its own. All begin with
; ENDBR64.

        default rel
        %include "scratch.inc"

%macro begin 1
extern handle_%1
global isr%1:function
isr%1:  endbr64
%endmacro

%macro body 2                           ; body VECTOR, BYTES of the code
                                        ; @entry
        save_scratch
        push    rbp
        mov     rbp, rsp
        cld                             ; @cld
        lea     rdi, [rbp + 80]         ; @saved
        and     rsp, -16                ; @align
        call    handle_%1               ; @call
        mov     rsp, rbp
        pop     rbp
        restore_scratch
                                        ; @restored
        add     rsp, %2                 ; @own_drop
        iretq                           ; @iretq
%endmacro

        section .text
        begin   0
        body    0, 0
        begin   1
        body    1, 0
        begin   3
        body    3, 0
        begin   6
                                        ; @first6
        body    6, 0
extern handle_7
global isr7:function
isr7:   endbr64                         ; @endbr7
        body    7, 0
        begin   13
                                        ; @own13
        body    13, 8
        begin   14
        body    14, 8
        begin   32
        body    32, 0

        section .bss
parked: resq    1
