; Interrupt paths without a word that gives them away, one shape for each -D: what stublint must
; find by the code alone. NASM makes ELF, COFF and Mach-O of it.

        default rel
        bits    64

%macro save 0
        push    rax
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
%endmacro

%macro restore 0
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
%endmacro

; whole NAME[, BYTES]: a handler with its own IRETQ, which drops BYTES of an error code.
%macro whole 1-2 0
%1:     cld
        save
        restore
    %if %2
        add     rsp, %2
    %endif
        iretq
%endmacro

; on_common: the path that stubs which push go on to.
%macro on_common 0
path:   cld
        save
        call    answer
        restore
        add     rsp, 16
        iretq

answer: lea     rax, [rsp]
        ret
%endmacro

        section .text
        global  start
start:  call    setup
.halt:  hlt
        jmp     .halt

%ifdef BUG_WRITTEN                      ; one function writes each gate, another one loads the IDT
        whole   apple
        whole   berry, 8
        whole   cherry
    %ifdef BUG_NAMED_OTHERWISE          ; a name that the IDT contradicts
        whole   page_fault_handler
    %endif
setup:  lea     rsi, [apple]
        mov     edi, 0
        mov     edx, 0x8E
        call    gate
        lea     rsi, [berry]
        mov     edi, 14
        mov     edx, 0x8E
        call    gate
        lea     rsi, [cherry]
        mov     edi, 0x80
        mov     edx, 0xEF
        call    gate
        in      al, 0x21                ; what a machine without devices must get over
        mov     ax, 0x28
        ltr     ax
        call    load
        mov     ax, 0x10
        mov     ds, ax
        push    8                       ; the new CS
        lea     rax, [.far]
        push    rax
        retfq
.far:   lea     rsi, [cherry]           ; a gate that is written last
        mov     edi, 0x81
        mov     edx, 0x8E
        call    gate
        ret

load:   lidt    [pointer]
        ret

; gate(edi = vector, rsi = handler, edx = type)
gate:   shl     edi, 4
        lea     rcx, [table]
        add     rcx, rdi
        mov     [rcx], si
        mov     word [rcx + 2], 8
        mov     byte [rcx + 4], 0
        mov     [rcx + 5], dl
        shr     rsi, 16
        mov     [rcx + 6], si
        shr     rsi, 16
        mov     [rcx + 8], esi
        ret

        section .data
pointer:
        dw      256 * 16 - 1
        dq      table

        section .bss
        align   16
table:  resb    256 * 16

%elifdef BUG_PUSHED                     ; stubs without labels but for the first
setup:  lea     rax, [first]
        ret
        on_common
first:
    %assign v 0
    %rep 6
        push    0
        push    v
        jmp     path
        %assign v v + 1
    %endrep
        push    14
        jmp     path
        push    0
        push    byte -56                ; 200, with the mistake that PUSH sign-extends
        jmp     near path

%elifdef BUG_TABLE                      ; pointers to handlers of no name
setup:  ret
    %assign v 0
    %rep 24
        %if v = 8 || (v >= 10 && v <= 14) || v = 17 || v = 21
            whole   thing_ %+ v, 8
        %else
            whole   thing_ %+ v
        %endif
        %assign v v + 1
    %endrep

        section .rodata
        align   8
fruit:
    %assign v 0
    %rep 24
        dq      thing_ %+ v
        %assign v v + 1
    %endrep

%elifdef BUG_STRUCTS                    ; { pointer, vector, flags } each
setup:  ret
        whole   apple
        whole   berry, 8
        whole   cherry

        section .rodata
        align   8
basket: dq      apple
        dd      3, 1
        dq      berry
        dd      14, 0
        dq      cherry
        dd      0x80, 1

%elifdef BUG_NAMES                      ; spellings that people use
setup:  ret
        whole   entry_DE
        whole   ex_db
        whole   nmi
        whole   do_breakpoint
        whole   InvalidOpcodeFault
        whole   handle_df, 8
        whole   protection_handler, 8
        whole   PageFaultHandler, 8
        whole   _ZL12IntHandlerMFP14InterruptFrame
        whole   page_alloc              ; no exception's
        whole   of                      ; nor this

%elifdef BUG_HEXADECIMAL
setup:  ret
        on_common
    %macro hexadecimal 2
_isr%1:
    %if %2 <> 8 && %2 <> 10
        push    0
    %endif
        push    %2
        jmp     path
    %endmacro
        hexadecimal 08, 8
        hexadecimal 09, 9
        hexadecimal 0A, 10
        hexadecimal 10, 16
        hexadecimal 1F, 31

%elifdef BUG_BESIDE                     ; C's functions of the same numbers, before and behind
setup:  ret
        on_common
    %macro pair 1
isr%1_handler:
        mov     eax, %1
        ret
isr%1:  push    0
        push    %1
        jmp     path
isr%1_c:
        ret
    %endmacro
        pair    0
        pair    1
        pair    2
        pair    3

%elifdef BUG_UNSURE                     ; numbers that may be vectors, and may be not
setup:  ret
        whole   thing1
        whole   thing2
        whole   thing3
%endif
