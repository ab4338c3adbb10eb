; What the fuzzer cannot say in C: put a whole machine state into the CPU and jump to a stub as if
; the CPU had delivered an interrupt there; be the dispatcher that the path calls; and take down
; the whole machine state where IRETQ goes.
;
; fuzz.c fills the variables at the end before trampoline_raise() and reads them after it. Once the
; state is loaded nothing may change a register, a flag or the interrupted stack: only MOV and
; JMP, and no PUSH until RSP is the host's again.

%include "frame.inc"

RFLAGS_NOTHING_SET      equ 2           ; bit 1 is always 1
LANDING_SIZE            equ 32
LANDING_COUNT           equ 64

; struct call of trampoline.h.
CALL_RDI                equ 0
CALL_RBP                equ 8
CALL_RSP                equ 16
CALL_RFLAGS             equ 24
CALL_SIZE               equ 32

%macro load 1
        mov     %1, [rel trampoline_before + REGS_%1]
%endmacro

%macro store 1
        mov     [rel trampoline_after + REGS_%1], %1
%endmacro

        section .text

; void trampoline_raise(void)
;       Returns when the path has come back to one of the landings.
global trampoline_raise:function
trampoline_raise:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        mov     [rel host_rsp], rsp

        mov     eax, [rel trampoline_components]
        xor     edx, edx
        mov     rcx, [rel trampoline_extended_before]
        xrstor64 [rcx]

        push    qword [rel trampoline_before + REGS_RFLAGS]
        popfq
        each_register load
        mov     rsp, [rel trampoline_frame]
        jmp     [rel trampoline_stub]

; The places where the interrupted program can have been: each notes that it was the one.
%macro landing 0
        align   LANDING_SIZE, int3
    %%here:
        mov     [rel trampoline_after + REGS_RAX], rax
        lea     rax, [rel %%here]
        jmp     strict near landed
%endmacro

        align   LANDING_SIZE, int3
global trampoline_landings
trampoline_landings:
%rep LANDING_COUNT
        landing
%endrep

landed:
        mov     [rel trampoline_after + REGS_RIP], rax
        mov     rax, [rel trampoline_after + REGS_RAX]
        each_register store
        mov     [rel trampoline_after + REGS_RSP], rsp
        mov     rsp, [rel host_rsp]
        pushfq
        pop     qword [rel trampoline_after + REGS_RFLAGS]
        push    RFLAGS_NOTHING_SET
        popfq

        mov     eax, [rel trampoline_components]
        xor     edx, edx
        mov     rcx, [rel trampoline_extended_after]
        xsave64 [rcx]

        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret

; void trap_dispatch(struct regs *)
;       Notes how it was called, takes the frame down and rewrites it if the fuzzer says so. It
;       leaves every register that the System V ABI lets it with other contents.
global trap_dispatch:function
trap_dispatch:
        mov     [rel trampoline_call + CALL_RDI], rdi
        mov     [rel trampoline_call + CALL_RBP], rbp
        mov     [rel trampoline_call + CALL_RSP], rsp
        mov     rsp, [rel host_rsp]
        pushfq
        pop     qword [rel trampoline_call + CALL_RFLAGS]
        push    RFLAGS_NOTHING_SET
        popfq

        cmp     rdi, [rel trampoline_regs]
        jne     .leave                  ; another argument than ours: leave that memory alone
        mov     rdx, rdi
        mov     rsi, rdi
        lea     rdi, [rel trampoline_seen]
        call    copy_frame
        cmp     byte [rel trampoline_rewrite], 0
        je      .leave
        lea     rsi, [rel trampoline_rewritten]
        mov     rdi, rdx
        call    copy_frame
.leave:
        mov     rax, [rel trampoline_garbage]
        lea     rcx, [rax * 3 + 1]
        lea     rdx, [rcx * 3 + 1]
        lea     rsi, [rdx * 3 + 1]
        lea     rdi, [rsi * 3 + 1]
        lea     r8, [rdi * 3 + 1]
        lea     r9, [r8 * 3 + 1]
        lea     r10, [r9 * 3 + 1]
        lea     r11, [r10 * 3 + 1]
        add     rax, r11                ; the arithmetic flags as well
        mov     rsp, [rel trampoline_call + CALL_RSP]
        ret

; RSI = from, RDI = to
copy_frame:
%assign slot 0
%rep REGS_SIZE / 8
        mov     rax, [rsi + slot]
        mov     [rdi + slot], rax
    %assign slot slot + 8
%endrep
        ret

        section .bss
        alignb  64

%macro variable 2
global %1:data (%2)
%1:
        resb    %2
%endmacro

        ; Set by the fuzzer: the interrupted program, where RSP is at the stub, and the stub.
        variable trampoline_before, REGS_SIZE
        variable trampoline_frame, 8
        variable trampoline_stub, 8

        ; The dispatcher's orders: the argument that is right, and what it shall leave behind.
        variable trampoline_regs, 8
        variable trampoline_rewrite, 8
        variable trampoline_rewritten, REGS_SIZE
        variable trampoline_garbage, 8

        ; Seen by the dispatcher.
        variable trampoline_call, CALL_SIZE
        variable trampoline_seen, REGS_SIZE

        ; Seen at the landing.
        variable trampoline_after, REGS_SIZE

        ; XSAVE's component bitmap and the two areas.
        variable trampoline_components, 8
        variable trampoline_extended_before, 8
        variable trampoline_extended_after, 8

host_rsp:
        resq    1

        section .note.GNU-stack noalloc noexec nowrite progbits
