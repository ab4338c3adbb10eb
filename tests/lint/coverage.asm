; Three stubs that are right, and beside them, by one -D each, what a lint of them cannot have seen;
; LOST and LOST_TOO are mistakes.

        %include "scratch.inc"

extern handler

%macro isr 2                            ; isr NAME, VECTOR
global %1:function
%1:     push    qword 0
        push    qword %2
        jmp     entry
%endmacro

        section .text
%ifdef BUG_CIRCLE                       ; two labels, each of which leads to the other
first:  dec     rax
        jz      entry
second: jmp     first
%endif
        isr     isr0, 0
        isr     isr1, 1
        isr     isr2, 2
%ifdef BUG_UNLINTED
global sneaky:function                  ; like the others, but for one thing between its pushes
sneaky: push    qword 0                 ; and the jump
        push    qword 77
        test    eax, eax
        jmp     entry
%endif
isr_end:                                ; padding is no function, even if it has a name
        times 5 nop

global entry:function
entry:
    %ifdef BUG_FALLS_IN
        nop
falls_in:
    %endif
        cld
        save_scratch
    %ifdef BUG_BEHIND_A_BRANCH
        cmp     dword [rel flag], 0
        je      .usual
        nop
        nop
.usual:
    %endif
    %ifdef BUG_ONE_WAY
        cmp     dword [rel flag], 0
        je      .next
.next2: test    rax, rax
        jmp     .after
.next:  jmp     .next2
.after:
    %endif
        mov     rdi, rsp
        call    handler
        restore_scratch
    %ifdef BUG_LOST
        xor     r11d, r11d
    %endif
    %ifdef BUG_LOST_TOO
        xor     r10d, r10d
    %endif
        add     rsp, 16
        iretq

%ifdef BUG_OWN_FRAME                    ; with parts of the frame that are given, or right
        %ifndef USER_SS
        %define USER_SS 0x1B
        %endif
        %ifndef USER_RFLAGS
        %define USER_RFLAGS 0x202
        %endif
        %ifndef USER_CS
        %define USER_CS 0x23
        %endif
        %ifndef USER_RIP
        %define USER_RIP rdi
        %endif
global enter_ring3:function
enter_ring3:
        push    rbp
        mov     rbp, rsp
        push    USER_SS
        push    rsi
        push    USER_RFLAGS
        push    USER_CS
    %ifdef WAITS
.busy:  hlt
        jmp     .busy
    %endif
        mov     rax, USER_RIP
        push    rax
        iretq
%endif

%ifdef BUG_BY_SYSRET
global enter_by_sysret:function
enter_by_sysret:
        mov     rcx, rdi
        mov     r11d, USER_RFLAGS
        o64 sysret
%endif

%ifdef BUG_GIVEN
global switch_to:function
switch_to:
        mov     rsp, rdi
        iretq
%endif

        section .bss
flag:   resd    1
