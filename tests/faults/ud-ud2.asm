; UD2, the instruction that is promised never to exist.
%include "fault.inc"

fault   0, "ud-ud2", "UD2"
.here:  ud2
.next:  done
expect  UD, .here, then .next
