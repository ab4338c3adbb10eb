; LOCK on an instruction that does not take it.
%include "fault.inc"

fault   0, "ud-lock-nop", "LOCK NOP"
.here:  db      0xF0, 0x90              ; lock nop, which no assembler likes to emit
.next:  done
expect  UD, .here, then .next
