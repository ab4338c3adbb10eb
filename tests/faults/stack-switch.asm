; Which stack a trap uses, and what SS is then: null after a ring change, and untouched by IST
; alone.
%include "fault.inc"
%include "tables.inc"

%assign MC_IST 2                        ; kernel/trap/vectors.def: #MC's stack

; The trap inside the handler tells what SS is there.
%macro look_inside 0
routine .look
        int3
.inside:
        ret
%endmacro

fault   0, "stack-kernel", "a trap of ring 0 keeps its stack and SS"
.here:  ud2
.next:  done
expect  UD, .here, stack KERNEL_STACK, saved_cs SELECTOR_KERNEL_CODE, \
        saved_ss SELECTOR_KERNEL_DATA, repair .look, then .next
expect  BP, .inside, stack KERNEL_STACK, saved_ss SELECTOR_KERNEL_DATA
look_inside

fault   3, "stack-user", "a trap of ring 3: RSP0, and SS is null"
.here:  ud2
.next:  done
expect  UD, .here, stack KERNEL_STACK, saved_cs SELECTOR_USER_CODE, \
        saved_ss SELECTOR_USER_DATA, saved_rsp USER_STACK_HIGH, repair .look, then .next
expect  BP, .inside, stack KERNEL_STACK, saved_ss 0
look_inside

fault   0, "stack-ist", "an IST stack within ring 0 keeps SS"
        gate_ist VECTOR_UD, MC_IST
.here:  ud2
.next:  done
expect  UD, .here, stack MC_STACK, saved_ss SELECTOR_KERNEL_DATA, repair .look, then .next
expect  BP, .inside, stack MC_STACK, saved_ss SELECTOR_KERNEL_DATA
look_inside

fault   3, "stack-user-ist", "an IST slot goes before TSS.RSP0", prepare .set
.here:  ud2
.next:  done
expect  UD, .here, stack MC_STACK, saved_ss SELECTOR_USER_DATA, repair .look, then .next
expect  BP, .inside, stack MC_STACK, saved_ss 0
look_inside

routine .set
        gate_ist VECTOR_UD, MC_IST
        ret

; Each trap on an IST stack begins at its top: what lay there is lost. Here it is done with.
fault   0, "stack-ist-twice", "two traps in a row begin at the same IST top"
        gate_ist VECTOR_BP, MC_IST
        int3
.first: int3
.next:  done
expect  BP, .first, stack MC_STACK
expect  BP, .next, stack MC_STACK
