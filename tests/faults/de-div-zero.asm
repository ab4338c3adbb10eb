; Division by zero, the first vector of all.
%include "fault.inc"

fault   0, "de-div-zero", "DIV by zero"
        xor     edx, edx
        xor     ecx, ecx
        mov     eax, 1
.here:  div     ecx
.next:  done
expect  DE, .here, then .next
