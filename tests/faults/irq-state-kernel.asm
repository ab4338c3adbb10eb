; Interrupts may come at every instruction of ring 0: the state is filled and checked over and over.
%include "fault.inc"

%assign ROUNDS 1000000

fault   0, "irq-state-kernel", "all registers survive interrupts in ring 0"
%include "state.inc"
        mov     qword [STATE + 8], ROUNDS
        fill_xmm
        sti
.again:
        fill_state
        check_state
        dec     qword [STATE + 8]
        jnz     .again
        cli
        check_xmm
        report_state
interrupted TIMER
