; The same descriptor in SS has a vector of its own.
%include "fault.inc"

fault   0, "ss-mov-ss", "MOV SS with a not-present descriptor"
        mov     eax, SELECTOR_NOT_PRESENT
.here:  mov     ss, eax
.next:  done
expect  SS, .here, code SELECTOR_NOT_PRESENT, then .next
