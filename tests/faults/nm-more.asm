; Everything that asks CR0 whether x87 and SSE may be used: SDM vol. 3, table 2-2.
%include "fault.inc"

; unavailable BITS OF CR0, INSTRUCTION
%macro unavailable 2+
        mov     rax, cr0
        or      rax, %1
        mov     cr0, rax
.here:  %2
.next:  done
expect  NM, .here, then .next
%endmacro

fault   0, "nm-ts-sse", "an SSE instruction with CR0.TS"
        unavailable CR0_TS, xorps xmm0, xmm0

fault   0, "nm-ts-fwait", "FWAIT with CR0.TS and CR0.MP"
        unavailable CR0_TS | CR0_MP, fwait

fault   0, "nm-em", "an x87 instruction with CR0.EM"
        unavailable CR0_EM, fnop

fault   0, "nm-ts-fwait-mp", "FWAIT with CR0.TS, but without CR0.MP"
        fninit
        mov     rax, cr0
        and     rax, ~CR0_MP
        or      rax, CR0_TS
        mov     cr0, rax
        fwait
        done

fault   3, "nm-user-ts", "an x87 instruction in ring 3 with CR0.TS", prepare .set
.here:  fnop
.next:  done
expect  NM, .here, then .next

routine .set
        mov     rax, cr0
        or      rax, CR0_TS
        mov     cr0, rax
        ret
