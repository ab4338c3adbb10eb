; RFLAGS across a trap: saved as it was, safe for C in the handler, restored by IRETQ.
%include "fault.inc"
%include "tables.inc"

; The routine tells the code what RFLAGS is in C.
%macro tell_rflags 0
routine .tell
        pushfq
        pop     qword [rdi + REGS_RAX]
        ret
%endmacro

%macro set_rflags 1
        pushfq
        or      qword [rsp], %1
        popfq
%endmacro

; RFLAGS still has all of these. RAX stays.
%macro still_has 1
        pushfq
        mov     rcx, [rsp]
        and     qword [rsp], ~(RFLAGS_DF | RFLAGS_AC)
        popfq
        and     ecx, %1
        cmp     ecx, %1
        jne     .wrong
%endmacro

%assign KEPT RFLAGS_DF | RFLAGS_AC | RFLAGS_ID | RFLAGS_CF

fault   0, "flags-kernel", "RFLAGS across a trap; DF and AC clear in C", needs SMAP
        set_rflags KEPT
        int3
.next:  still_has KEPT
        test    eax, RFLAGS_DF | RFLAGS_AC
        jnz     .wrong
        done
.wrong: done    1
expect  BP, .next, rflags_set KEPT, repair .tell
tell_rflags

fault   3, "flags-user", "RFLAGS across a trap of ring 3 with IOPL 3", needs SMAP, io_privilege
        set_rflags KEPT
        int3
.next:  still_has KEPT | RFLAGS_IOPL
        test    eax, RFLAGS_DF | RFLAGS_AC
        jnz     .wrong
        done
.wrong: done    1
expect  BP, .next, rflags_set KEPT | RFLAGS_IOPL, repair .tell
tell_rflags

; NT: with it the handler's IRETQ would be #GP, and so the delivery clears it. SDM vol. 3, 6.12.1.
%macro nested_task 0
        set_rflags RFLAGS_NT
        int3
.next:  pushfq
        pop     rcx
        push    RFLAGS_FIXED
        popfq
        test    ecx, RFLAGS_NT
        jz      .wrong
        test    eax, RFLAGS_NT
        jnz     .wrong
        done
.wrong: done    1
expect  BP, .next, rflags_set RFLAGS_NT, repair .tell
tell_rflags
%endmacro

fault   0, "flags-nt", "RFLAGS.NT across a trap; it is clear in C"
        nested_task

fault   3, "flags-user-nt", "RFLAGS.NT across a trap of ring 3"
        nested_task

; RF: a fault saves it as 1, so that the instruction, when it runs again, is not stopped at once by
; an instruction breakpoint. A trap saves 0. SDM vol. 3, 17.3.1.1.
fault   0, "rf-fault", "a fault saves RFLAGS.RF as 1"
.here:  ud2
.next:  done
expect  UD, .here, rflags_set RFLAGS_RF, then .next

fault   3, "rf-user-fault", "a fault in ring 3 saves RFLAGS.RF as 1"
.here:  ud2
.next:  done
expect  UD, .here, rflags_set RFLAGS_RF, then .next

fault   0, "rf-fault-code", "a fault with a code saves RFLAGS.RF as 1"
        mov     rax, PAGE_NOT_PRESENT
.here:  mov     cl, [rax]
.next:  done
expect  PF, .here, code 0, rflags_set RFLAGS_RF, then .next

fault   0, "rf-trap", "a trap saves RFLAGS.RF as 0"
        int3
.next:  done
expect  BP, .next, rflags_clear RFLAGS_RF

fault   3, "rf-user-trap", "a trap in ring 3 saves RFLAGS.RF as 0"
        int3
.next:  done
expect  BP, .next, rflags_clear RFLAGS_RF

; An interrupt gate clears IF, a trap gate leaves it. IRETQ restores it in either case.
fault   0, "gate-interrupt", "an interrupt gate clears IF"
        sti
        int3
.next:  still_has RFLAGS_IF
        cli
        test    eax, RFLAGS_IF
        jnz     .wrong
        done
.wrong: done    1
expect  BP, .next, rflags_set RFLAGS_IF, repair .tell
tell_rflags

fault   0, "gate-trap", "a trap gate leaves IF set"
        gate_attributes VECTOR_BP, GATE_PRESENT | GATE_TRAP
        sti
        int3
.next:  still_has RFLAGS_IF
        cli
        test    eax, RFLAGS_IF
        jz      .wrong
        done
.wrong: done    1
expect  BP, .next, rflags_set RFLAGS_IF, repair .tell
tell_rflags

fault   3, "gate-user-interrupt", "an interrupt gate clears IF, from ring 3", interrupts
        int3
.next:  still_has RFLAGS_IF
        test    eax, RFLAGS_IF
        jnz     .wrong
        done
.wrong: done    1
expect  BP, .next, rflags_set RFLAGS_IF, repair .tell
tell_rflags

fault   0, "int-ignores-if", "INT n is taken with IF clear"
        cli
        int     OWN_VECTOR
.next:  done
expect  OWN_VECTOR, .next, rflags_clear RFLAGS_IF
