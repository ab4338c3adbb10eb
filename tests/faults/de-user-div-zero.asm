; The same division in ring 3.
%include "fault.inc"

fault   3, "de-user-div-zero", "DIV by zero in ring 3"
        xor     edx, edx
        xor     ecx, ecx
        mov     eax, 1
.here:  div     ecx
.next:  done
expect  DE, .here, then .next
