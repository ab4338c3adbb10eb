; Interrupts may come at every instruction of ring 0: the state is filled and checked over and over.
%include "fault.inc"
%include "tables.inc"

%assign ROUNDS 100000

fault   0, "irq-state-kernel", "all registers survive interrupts in ring 0", until_interrupted, \
        prepare .hasten
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
routine .hasten
        hasten_timer
        ret
interrupted TIMER
