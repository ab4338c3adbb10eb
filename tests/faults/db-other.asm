; #DB without a breakpoint or a step.
%include "fault.inc"
%include "debug.inc"

; DR7.GD guards the debug registers, for a debugger below the kernel. Delivery clears it, else the
; handler could not look.
fault   0, "db-general-detect", "MOV to a debug register with DR7.GD"
        mov     rax, dr7
        or      rax, DR7_GD
        mov     dr7, rax
.here:  mov     dr0, rax
.next:  done
expect  DB, .here, dr6 DR6_BD, repair .look, then .next

routine .look
        mov     rax, dr7
        test    eax, DR7_GD
        jz      .cleared
        mov     rax, dr0                ; faults again
.cleared:
        ret

; INT1 (opcode F1) is an exception, not INT n: its gate's DPL does not matter.
%macro int1_opcode 0
        int1
.next:  done
expect  DB, .next, dr6 0
%endmacro

fault   0, "db-icebp", "INT1, opcode F1, leaves DR6 alone"
        int1_opcode

fault   3, "db-user-icebp", "INT1, opcode F1, through a gate of DPL 0"
        int1_opcode

fault   0, "db-int1", "INT 1, opcode CD 01, leaves DR6 alone"
        int     1
.next:  done
expect  DB, .next, dr6 0

fault   3, "gp-user-int1", "INT 1, opcode CD 01, through a gate of DPL 0"
.here:  int     1
.next:  done
expect  GP, .here, code 1 << 3 | ERROR_IDT, then .next
