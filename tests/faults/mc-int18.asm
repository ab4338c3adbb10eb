; INT 18 takes the way of a machine check onto its own stack and, unlike that, is sure to come back.
%include "fault.inc"

fault   0, "mc-int18", "INT 18 in ring 0: #MC's vector and stack"
        int     18
.next:  done
expect  MC, .next, stack MC_STACK
