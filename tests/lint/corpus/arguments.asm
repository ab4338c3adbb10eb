; C is given the vector and the error code as arguments. Only what C need not keep is saved, and the
; stack is aligned by arithmetic: 40 bytes by the CPU, 16 by the stub and 72 by the entry are 128.

        default rel
        %include "scratch.inc"

extern handler

%macro plain 1
global isr%1:function
isr%1:  push    qword 0
        push    strict qword %1
        jmp     entry
%endmacro

%macro with_code 1
global isr%1:function
isr%1:  push    strict qword %1
        jmp     entry_code
%endmacro

        section .text
        plain   0
        plain   1
        plain   2
        plain   3
global isr6:function
isr6:   nop                             ; @first6
        push    qword 0                 ; @dummy6
        push    strict qword 6
        jmp     entry
global isr7:function
isr7:   push    qword 0
        push    strict qword 7          ; @vector7
        jmp     entry
        with_code 11
        with_code 12
global isr13:function
isr13:                                  ; @first13
        push    strict qword 13
        jmp     entry_code
        with_code 14
        plain   32
        plain   33
global isr200:function
isr200: push    qword 0
        push    strict qword 200        ; @vector200
        jmp     entry

global entry:function
entry_code:
        test    spl, 8                  ; @test_code
        jnz     entry                   ; @test_code
        push    qword [rsp]             ; @test_code
        mov     qword [rsp + 8], 0      ; @test_code
entry:                                  ; @entry
        save_scratch
        cld                             ; @cld
        clac                            ; @clac
        mov     edi, [rsp + 72]         ; @saved
        mov     rsi, [rsp + 80]
        call    handler                 ; @call
        restore_scratch
                                        ; @restored
        add     rsp, 16                 ; @drop
        iretq                           ; @iretq

        section .bss
parked: resq    1
