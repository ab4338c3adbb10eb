; A trap in ring 3 and back leaves the program's whole state as it was, XMM registers included.
%include "fault.inc"

fault   3, "state-user", "all registers survive a trap in ring 3"
%include "state.inc"
        fill_xmm
        fill_state
.here:  ud2
.next:  check_state
        check_xmm
        report_state
expect  UD, .here, then .next
