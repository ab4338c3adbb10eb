; Instruction breakpoints are faults: the instruction has not run. RF in the saved RFLAGS lets it.
%include "fault.inc"
%include "debug.inc"

%macro exec 1
        breakpoint %1, .here, EXECUTE, 1
.here:  nop
.next:  done
expect  DB, .here, dr6 DR6_B%1, rflags_clear RFLAGS_RF, repair .pass

routine .pass
        pass_breakpoint
        ret
%endmacro

fault   0, "db-exec", "an instruction breakpoint, passed with RF"
        exec    0

fault   0, "db-exec-dr1", "an instruction breakpoint in DR1"
        exec    1

fault   0, "db-exec-dr2", "an instruction breakpoint in DR2"
        exec    2

fault   0, "db-exec-dr3", "an instruction breakpoint in DR3"
        exec    3

; Without RF the handler returns to the breakpoint, which fires again.
fault   0, "db-exec-again", "an instruction breakpoint again, without RF"
        breakpoint 0, .here, EXECUTE, 1
.here:  nop
.next:  done
expect  DB, .here, dr6 DR6_B0
expect  DB, .here, dr6 DR6_B0, repair .pass

routine .pass
        pass_breakpoint
        ret

fault   3, "db-user-exec", "an instruction breakpoint in ring 3", prepare .set
.here:  nop
.next:  done
expect  DB, .here, dr6 DR6_B0, repair .pass

routine .set
        breakpoint 0, .here, EXECUTE, 1
        ret

routine .pass
        pass_breakpoint
        ret

; The instruction after MOV SS cannot be broken at: SDM vol. 3, 6.8.3.
fault   0, "db-exec-movss", "no instruction breakpoint behind MOV SS"
        mov     ecx, ss
        breakpoint 0, .here, EXECUTE, 1
        mov     ss, ecx
.here:  nop
        done

; Both at once: the breakpoint comes first, the instruction's own fault when it runs.
; SDM vol. 3, table 6-2.
fault   0, "db-exec-ud2", "an instruction breakpoint on UD2, then #UD"
        breakpoint 0, .here, EXECUTE, 1
.here:  ud2
.next:  done
expect  DB, .here, dr6 DR6_B0, repair .pass
expect  UD, .here, then .next

routine .pass
        pass_breakpoint
        ret
