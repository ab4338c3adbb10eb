; Who sets and clears TF and RF: an instruction is stepped if TF was set when it began, whoever set
; it, and an instruction breakpoint is passed if RF was. SDM vol. 3, 17.3.1.1 and 17.3.1.4.
%include "fault.inc"
%include "debug.inc"

; iretq_with RFLAGS, CS, SS: go on at .target with these.
%macro iretq_with 3
        mov     rbx, rsp
        push    %3
        push    rbx
        push    %1
        push    %2
        lea     rax, [rel .target]
        push    rax
        iretq
%endmacro

; The trap comes behind the first instruction at the target, not at the target.
%macro step_by_iretq 2
        iretq_with RFLAGS_FIXED | RFLAGS_TF, %1, %2
.target:
        nop
.next:  done
expect  DB, .next, dr6 DR6_BS, rflags_set RFLAGS_TF, repair .stop

routine .stop
        stop_stepping
        ret
%endmacro

fault   0, "db-step-iret", "single step from the target of an IRETQ on"
        step_by_iretq SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA

fault   3, "db-user-step-iret", "single step from IRETQ's target on, ring 3"
        step_by_iretq SELECTOR_USER_CODE, SELECTOR_USER_DATA

; POPFQ was itself stepped, but what it has pushed is without TF, and nothing more is stepped.
%macro step_popf 0
        push    RFLAGS_FIXED
        step
        popfq
.next:  nop
        done
expect  DB, .next, dr6 DR6_BS, rflags_clear RFLAGS_TF
%endmacro

fault   0, "db-step-popf", "single step of the POPFQ that ends it"
        step_popf

fault   3, "db-user-step-popf", "single step of the POPFQ ending it, ring 3"
        step_popf

fault   0, "db-exec-iret", "an instruction breakpoint at IRETQ's target"
        breakpoint 0, .target, EXECUTE, 1
        iretq_with RFLAGS_FIXED, SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA
.target:
        nop
        done
expect  DB, .target, dr6 DR6_B0, repair .pass

routine .pass
        pass_breakpoint
        ret

; RF is gone after the one instruction: the breakpoint behind it counts.
%macro hidden_by_rf 2
        iretq_with RFLAGS_FIXED | RFLAGS_RF, %1, %2
.target:
        nop
.after: nop
        done
expect  DB, .after, dr6 DR6_B1, repair .pass

routine .set
        breakpoint 0, .target, EXECUTE, 1
        breakpoint 1, .after, EXECUTE, 1
        ret

routine .pass
        pass_breakpoint
        ret
%endmacro

fault   0, "db-exec-iret-rf", "IRETQ pops RF: no breakpoint at its target", prepare .set
        hidden_by_rf SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA

fault   3, "db-user-exec-iret-rf", "IRETQ to ring 3 pops RF: no breakpoint there", prepare .set
        hidden_by_rf SELECTOR_USER_CODE, SELECTOR_USER_DATA
