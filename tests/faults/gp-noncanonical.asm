; Bits 63 to 47 of an address must be equal.
%include "fault.inc"

fault   0, "gp-noncanonical", "a read from a non-canonical address"
        mov     rax, 0x0000800000000000
.here:  mov     rcx, [rax]
.next:  done
expect  GP, .here, code 0, then .next
