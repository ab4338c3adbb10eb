; The local APIC holds back an interrupt until the last one of its priority has got its EOI: one
; tick tells nothing, the second tells that the first was acknowledged.
%include "fault.inc"
%include "tables.inc"

%assign ROUNDS 100000000

fault   0, "eoi-timer", "the timer ticks twice: it has got its EOI"
        kernel_call timer_ticks
        lea     rbx, [rax + 2]
        mov     r12d, ROUNDS
        sti
.wait:  kernel_call timer_ticks
        cmp     rax, rbx                ; a busy host may let two ticks come in one round
        jae     .came
        dec     r12d
        jnz     .wait
        cli
        done    1
.came:  cli
        done
interrupted TIMER
