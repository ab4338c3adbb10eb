; INT 13 from ring 0 is no exception: it goes to #GP's stub and pushes no error code. A path that
; goes by the vector alone takes RIP for the code and everything above it for something else.
%include "fault.inc"

fault   0, "gp-int13", "INT 13: #GP's vector, without its code"
        int     13
.next:  done
expect  GP, .next
