; CR0.TS: the x87 and SSE state belongs to another task.
%include "fault.inc"

fault   0, "nm-task-switched", "an x87 instruction with CR0.TS set"
        mov     rax, cr0
        or      rax, CR0_TS
        mov     cr0, rax
.here:  fnop
.next:  done
expect  NM, .here, then .next
