; The same for the upper halves of the YMM registers, which no FXSAVE would keep.
%include "fault.inc"

fault   0, "state-kernel-ymm", "the YMM registers survive a trap in ring 0", needs AVX
%include "state.inc"
        fill_ymm
        fill_state
.here:  ud2
.next:  check_state
        check_ymm
        report_state
expect  UD, .here, then .next
