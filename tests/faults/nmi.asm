; The non-maskable interrupt: it comes with IF clear, and blocks others until the next IRETQ,
; whoever executes it.
%include "fault.inc"
%include "tables.inc"

extern trap_count

; nmis: RAX = how many have come since boot.
%macro nmis 0
        mov     edi, VECTOR_NMI
        kernel_call trap_count
%endmacro

; Time for one to arrive in.
%macro wait_a_moment 0
        mov     ecx, 1000
%%again:
        pause
        loop    %%again
%endmacro

; require_one: return from a routine that has kept `nmis` in RBX, and RBX on the stack; but if not
; exactly one has come since, end the entry.
%macro require_one 0
        nmis
        sub     rax, rbx
        pop     rbx
        cmp     rax, 1
        je      %%came
        ud2
%%came: ret
%endmacro

fault   0, "nmi", "an NMI comes with IF clear"
        nmi
        wait_a_moment
        done
expect  NMI, anywhere, rflags_clear RFLAGS_IF

; It comes between two instructions: no RF for it, unlike a fault. SDM vol. 3, 17.3.1.1.
fault   0, "rf-nmi", "an NMI saves RFLAGS.RF as 0"
        nmi
        wait_a_moment
        done
expect  NMI, anywhere, rflags_clear RFLAGS_RF

fault   0, "nmi-blocked", "a second NMI waits for the first one's IRETQ"
        nmi
        wait_a_moment
        done
expect  NMI, anywhere, repair .send
expect  NMI, anywhere

routine .send
        push    rbx
        push    rdi
        nmis
        mov     rbx, rax
        nmi
        wait_a_moment
        nmis
        sub     rax, rbx                ; must still be 0: it ends the entry otherwise
        pop     rdi
        pop     rbx
        jz      .waits
        ud2
.waits: ret

fault   0, "nmi-unblocked", "IRETQ in the handler lets the second NMI in"
        nmi
        wait_a_moment
        done
expect  NMI, anywhere, repair .send
expect  BP, .inner
expect  NMI, anywhere

routine .send
        push    rbx
        nmi
        nmis
        mov     rbx, rax
        int3
.inner: wait_a_moment
        require_one

; INT 2 goes to the same handler and is no NMI: it blocks none.
fault   0, "nmi-int2", "INT 2 does not block NMIs"
        int     2
.next:  done
expect  NMI, .next, repair .send
expect  NMI, anywhere

routine .send
        push    rbx
        nmis
        mov     rbx, rax
        nmi
        wait_a_moment
        require_one

; Both wait for the same instruction: the first handler's IRETQ unblocks the one and sets IF for the
; other. SDM vol. 3, table 6-2.
fault   0, "nmi-before-irq", "an NMI comes before an interrupt"
        nmi
        wait_a_moment
        cli
        done
expect  NMI, anywhere, repair .send
expect  NMI, anywhere
expect  OWN_VECTOR, anywhere

routine .send
        or      qword [rdi + REGS_RFLAGS], RFLAGS_IF
        nmi
        ipi     OWN_VECTOR
        ret
