; INT3: a trap, so the saved RIP is behind it, and the program goes on there by itself.
%include "fault.inc"

fault   0, "bp-int3", "INT3, the one-byte breakpoint"
        int3
.next:  done
expect  BP, .next
