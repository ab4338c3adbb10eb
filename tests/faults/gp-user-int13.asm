; Ring 3 may not INT through a DPL 0 gate: #GP says which gate, with the IDT bit.
%include "fault.inc"

fault   3, "gp-user-int13", "INT 13 in ring 3, through a gate of DPL 0"
.here:  int     13
.next:  done
expect  GP, .here, code 13 << 3 | ERROR_IDT, then .next
