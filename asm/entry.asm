; The common path of every trap: save, make safe for C, dispatch, restore, return.
; A stub of asm/stubs.asm jumps here with its vector pushed. The stack then grows to this frame,
; which C knows as `struct regs` (kernel/trap/regs.h):
;
;       offset  slot            pushed by
;       168     ss              the CPU, which first aligns RSP down to 16
;       160     rsp             the CPU
;       152     rflags          the CPU
;       144     cs              the CPU
;       136     rip             the CPU
;       128     error code      the CPU, or the stub (a dummy 0), or .open_slot below
;       120     vector          the stub
;       112     rax             trap_entry
;       104     rcx
;        96     rdx
;        88     rbx
;        80     rsi
;        72     rdi
;        64     rbp
;        56     r8 ... r15 at 0 <- RDI and RBP at the call, RSP mod 16 = 0
;
; Every slot is the interrupted program's state: what C leaves in it is what `iretq` and the pops
; take back. There is no SWAPGS and no stack switch here, see "What this path leaves out" in
; README.md. `push`, `pop`, mov_cfa and add_rsp are one instruction each; cfi.inc makes them write
; their unwind row as well.

%include "cfi.inc"
%include "regs.inc"
%include "x86.inc"

extern trap_dispatch

        section .text progbits alloc exec nowrite align=64

; The ten vectors that carry an error code come here, because their number does not tell whether
; the CPU pushed one: it does so for an exception, never for INT n or an interrupt. RSP tells.
; The CPU aligned the top of its frame to 16, so below 5 + 1 + 1 slots RSP mod 16 is 8, and below
; 5 + 1 slots, with the code missing, it is 0.
global trap_entry_code:function (trap_entry - trap_entry_code)
trap_entry_code:
        cfi_begin trap
        cfa_rsp_or_8_less 56
        test    spl, 8
        jnz     trap_entry

; No code was pushed. Open its slot between the vector and rip, tell C, and go on like the others.
static trap_entry_code.open_slot:function (trap_entry - trap_entry_code.open_slot)
        cfa_rsp 48
.open_slot:
        push    qword [rsp]             ; the vector, one slot further down
        mov     qword [rsp + 8], 0      ; where it was, the dummy code
        mov     dword [rsp + 4], 1      ; struct regs: slot_opened

global trap_entry:function (trap_entry_end - trap_entry)
trap_entry:
        cfa_rsp 56
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rsi
        push    rdi
        push    rbp
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15

        mov_cfa rbp, rsp                ; holds the frame, also for report/backtrace.c

        ; The System V ABI promises C that DF is clear, and under SMAP an AC that is set would let C
        ; touch user pages unnoticed. The CPU leaves both as the interrupted program had them, so
        ; the saved RFLAGS tell, and CLD and CLAC are for those who need them: SDM vol. 3, 6.12.1.
        test    dword [rbp + REGS_RFLAGS], RFLAGS_DF | RFLAGS_AC
        jz      .safe
        cld
global trap_entry.clac
.clac:                                  ; CLAC is #UD on a CPU without SMAP: trap.c puts it over
        nop     dword [rax]             ; this NOP of its size, at boot, where there is SMAP
.safe:
        ; C must be called at RSP mod 16 = 0. The frame is 22 slots below an aligned top, so it is
        ; already there. Keep the order: a slot more must not become a misaligned call.
        and     rsp, -16
        mov     rdi, rbp                ; trap_dispatch(struct regs *)
        call    trap_dispatch
global trap_entry.return
.return:                                ; the return address by which a backtrace knows the frame
        mov_cfa rsp, rbp

        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rbp
        pop     rdi
        pop     rsi
        pop     rbx
        pop     rdx
        pop     rcx
        pop     rax
        add_rsp 16                      ; the vector and the error code: IRETQ knows neither
global trap_entry.iretq
.iretq: iretq                           ; faults if C has left a frame that cannot be returned to.
                                        ; That is a trap like any other: from ring 0, RIP here,
                                        ; and every register already the interrupted program's.
        cfi_end
trap_entry_end:
