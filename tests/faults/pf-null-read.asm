; Page 0 is never mapped, so that a null pointer faults.
%include "fault.inc"

fault   0, "pf-null-read", "a read through a null pointer"
        xor     eax, eax
.here:  mov     al, [rax]
.next:  done
expect  PF, .here, code 0, cr2 0, then .next
