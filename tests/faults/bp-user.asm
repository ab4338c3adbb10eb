; INT3 in ring 3: its gate has DPL 3, and the CPU switches to the stack of TSS.RSP0.
%include "fault.inc"

fault   3, "bp-user", "INT3 in ring 3, with a switch of stacks"
        int3
.next:  done
expect  BP, .next
