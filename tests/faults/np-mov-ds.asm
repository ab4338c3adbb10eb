; A descriptor that is there but marked not present.
%include "fault.inc"

fault   0, "np-mov-ds", "MOV DS with a not-present descriptor"
        mov     eax, SELECTOR_NOT_PRESENT
.here:  mov     ds, eax
.next:  done
expect  NP, .here, code SELECTOR_NOT_PRESENT, then .next
