; Single step where an instruction is special: SDM vol. 3, 17.3.1.4 and 6.8.3.
%include "fault.inc"
%include "debug.inc"

%macro step_one 0
        step
        nop
.next:  done
expect  DB, .next, dr6 DR6_BS, rflags_set RFLAGS_TF, repair .stop

routine .stop
        stop_stepping
        ret
%endmacro

fault   3, "db-user-step", "single step in ring 3"
        step_one

; Delivery clears TF: the handler is not stepped. IRETQ brings it back, and the trap comes one
; instruction later.
%macro step_over 2
        step
        %1
.after: nop
.next:  done
expect  %2, .after, rflags_set RFLAGS_TF
expect  DB, .next, dr6 DR6_BS, repair .stop

routine .stop
        stop_stepping
        ret
%endmacro

fault   0, "db-step-int", "single step across INT n and its handler"
        step_over {int OWN_VECTOR}, OWN_VECTOR

fault   3, "db-user-step-int3", "single step across INT3 in ring 3"
        step_over int3, BP

; MOV SS holds the trap back until the next instruction is done, so that nothing comes between it
; and the load of RSP.
%macro step_movss 0
        mov     ecx, ss
        step
        mov     ss, ecx
        nop
.next:  done
expect  DB, .next, dr6 DR6_BS, repair .stop

routine .stop
        stop_stepping
        ret
%endmacro

fault   0, "db-step-movss", "single step: no trap behind MOV SS"
        step_movss

fault   3, "db-user-step-movss", "single step: no trap behind MOV SS, ring 3"
        step_movss

; STI holds interrupts back for an instruction, and no step. SDM vol. 3, 6.8.3.
fault   0, "db-step-sti", "single step: STI holds no trap back"
        step
        sti
.next:  cli
        done
expect  DB, .next, dr6 DR6_BS, rflags_set RFLAGS_IF, repair .stop

routine .stop
        stop_stepping
        ret

; INT n that is refused has not been stepped over: its #GP comes first, and TF is saved with it.
fault   3, "db-user-step-int-refused", "single step of INT n against the gate's DPL"
        step
.here:  int     13
        done    1
.after: nop
.next:  done
expect  GP, .here, code VECTOR_GP << 3 | ERROR_IDT, rflags_set RFLAGS_TF, then .after
expect  DB, .next, dr6 DR6_BS, repair .stop

routine .stop
        stop_stepping
        ret

; Each iteration is a step. RIP stays at the instruction until the last one. SDM vol. 3, 17.3.1.4;
; SDM vol. 2, REP.
fault   0, "db-step-rep", "single step: each iteration of REP STOSB"
        mov     rdi, PAGE_SUPERVISOR
        mov     ecx, 3
        step
.here:  rep stosb
.next:  done
expect  DB, .here, dr6 DR6_BS
expect  DB, .here, dr6 DR6_BS
expect  DB, .next, dr6 DR6_BS, repair .stop

routine .stop
        stop_stepping
        ret
