; The same in ring 3, where each interrupt switches to the kernel's stack.
%include "fault.inc"
%include "tables.inc"

%assign ROUNDS 100000

fault   3, "irq-state-user", "all registers survive interrupts in ring 3", interrupts, \
        until_interrupted, prepare .hasten
%include "state.inc"
        mov     qword [STATE + 8], ROUNDS
        fill_xmm
.again:
        fill_state
        check_state
        dec     qword [STATE + 8]
        jnz     .again
        check_xmm
        report_state
routine .hasten
        hasten_timer
        ret
interrupted TIMER
