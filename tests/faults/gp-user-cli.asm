; CLI is for CPL <= IOPL.
%include "fault.inc"

fault   3, "gp-user-cli", "CLI in ring 3"
.here:  cli
.next:  done
expect  GP, .here, code 0, then .next
