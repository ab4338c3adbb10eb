; Who comes first where several things are due at the same instruction boundary: traps of the
; instruction before, then NMI, then interrupts, then an instruction breakpoint, then the faults of
; fetching and executing. SDM vol. 3, table 6-2; nmi-before-irq and db-exec-ud2 belong here as well.
%include "fault.inc"
%include "tables.inc"
%include "debug.inc"

fault   0, "db-step-before-irq", "a single step comes before an interrupt"
        ipi     OWN_VECTOR
        pushfq
        or      qword [rsp], RFLAGS_TF | RFLAGS_IF
        step
        popfq
.here:  nop
        cli
        done
expect  DB, .here, dr6 DR6_BS, repair .stop
expect  OWN_VECTOR, .here

routine .stop
        stop_stepping
        ret

fault   0, "irq-before-ud", "an interrupt comes before UD2"
        ipi     OWN_VECTOR
        sti
        nop
.here:  ud2
.next:  cli
        done
expect  OWN_VECTOR, .here
expect  UD, .here, then .next

fault   0, "irq-before-exec", "an interrupt, then an instruction breakpoint"
        breakpoint 0, .here, EXECUTE, 1
        ipi     OWN_VECTOR
        sti
        nop
.here:  cli
        done
expect  OWN_VECTOR, .here
expect  DB, .here, dr6 DR6_B0, repair .pass

routine .pass
        pass_breakpoint
        ret

; The breakpoint is on a page that is not there.
fault   0, "db-exec-before-pf", "an instruction breakpoint before its #PF"
        breakpoint 0, PAGE_NOT_PRESENT, EXECUTE, 1
        mov     eax, PAGE_NOT_PRESENT
        jmp     rax
.next:  done
expect  DB, PAGE_NOT_PRESENT, dr6 DR6_B0, repair .pass
expect  PF, PAGE_NOT_PRESENT, code PF_I, cr2 PAGE_NOT_PRESENT, then .next

routine .pass
        pass_breakpoint
        ret
