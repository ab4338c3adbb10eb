; Supervisor indirect branch tracking (kernel/cpu/cpu.c switches it on): CALL to code that does not
; begin with ENDBR64. The call has been made, so that the saved RIP is its target.
%include "fault.inc"

fault   0, "cp-missing-endbr", "an indirect CALL to code without ENDBR64", needs CET_IBT
        lea     rax, [rel .target]
        call    rax
.next:  done
.target:
        ret
expect  CP, .target, code CP_ENDBRANCH
