; INT 8 takes the way of a double fault onto its own stack, but without the error code.
%include "fault.inc"

fault   0, "df-int8", "INT 8: #DF's vector and stack, no code"
        int     8
.next:  done
expect  DF, .next, stack DF_STACK
