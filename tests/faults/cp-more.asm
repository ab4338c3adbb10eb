; Indirect branch tracking: what it holds up, and what it lets pass. SDM vol. 1, 17.3.
%include "fault.inc"
%include "tables.inc"

fault   0, "cp-jmp", "an indirect JMP to code without ENDBR64", needs CET_IBT
        lea     rax, [rel .target]
        jmp     rax
.target:
        nop
        done
expect  CP, .target, code CP_ENDBRANCH

fault   0, "cp-endbr64", "an indirect JMP to ENDBR64 passes", needs CET_IBT
        lea     rax, [rel .target]
        jmp     rax
.target:
        endbr64
        done

; Without S_CET.NO_TRACK_EN the prefix means nothing.
fault   0, "cp-notrack", "JMP with a NOTRACK prefix, not enabled", needs CET_IBT
        lea     rax, [rel .target]
        db      0x3E                    ; NOTRACK
        jmp     rax
.target:
        nop
        done
expect  CP, .target, code CP_ENDBRANCH

; The CPU goes on waiting for ENDBR64 when the handler returns to ring 3.
fault   3, "cp-user-jmp", "an indirect JMP to code without ENDBR64", needs CET_IBT, prepare .track
        lea     rax, [rel .target]
        jmp     rax
.target:
        done    1
.next:  endbr64
        done
expect  CP, .target, code CP_ENDBRANCH, then .next

routine .track
        set_msr IA32_U_CET, CET_ENDBR_EN
        ret
