; The long form of INT3, and a gate that ring 3 may not use.
%include "fault.inc"
%include "tables.inc"

%macro int_3 0
        db      0xCD, 3
.next:  done
expect  BP, .next
%endmacro

fault   0, "bp-int-3", "INT 3 in two bytes, CD 03"
        int_3

fault   3, "bp-user-int-3", "INT 3 in two bytes, in ring 3"
        int_3

fault   3, "gp-user-int3-dpl0", "INT3 in ring 3 through a gate of DPL 0", prepare .close
.here:  int3
.next:  done
expect  GP, .here, code VECTOR_BP << 3 | ERROR_IDT, then .next

routine .close
        gate_attributes VECTOR_BP, GATE_PRESENT | GATE_INTERRUPT
        ret
