; A present page without the U/S bit, read from ring 3.
%include "fault.inc"

fault   3, "pf-user-supervisor", "a read of a supervisor page in ring 3"
        mov     eax, PAGE_SUPERVISOR
.here:  mov     eax, [rax]
.next:  done
expect  PF, .here, code PF_P | PF_U, cr2 PAGE_SUPERVISOR, then .next
