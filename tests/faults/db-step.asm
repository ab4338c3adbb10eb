; Single step: with TF set the CPU traps after each instruction. POPFQ itself is not yet stepped.
%include "fault.inc"

fault   0, "db-step", "single step with RFLAGS.TF"
        pushfq
        or      qword [rsp], RFLAGS_TF
        popfq
        nop
.next:  done
expect  DB, .next, dr6 DR6_BS, repair .stop

routine .stop
        and     qword [rdi + REGS_RFLAGS], ~RFLAGS_TF
        ret
