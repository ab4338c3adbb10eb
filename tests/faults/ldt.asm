; A real LDT: the TI bit of a selector chooses it, and an error code that names it has TI, too.
; SDM vol. 3, 3.5.1 and 6.13.
%include "fault.inc"
%include "tables.inc"

; Its entries: data, not-present data, 64-bit code. It lies on a page to fault on.
%assign LDT                     PAGE_SUPERVISOR
%assign LDT_DATA                0x00 | ERROR_TI
%assign LDT_NOT_PRESENT         0x08 | ERROR_TI
%assign LDT_CODE                0x10 | ERROR_TI
%assign LDT_BEYOND              0x18 | ERROR_TI

; SELECTOR_SPARE, and what is behind it, becomes the descriptor of 16 bytes.
%macro load_ldt 0
        mov     edi, LDT
        mov     rax, DESCRIPTOR_DATA
        mov     [rdi], rax
        mov     rax, DESCRIPTOR_DATA & ~DESCRIPTOR_P
        mov     [rdi + 8], rax
        mov     rax, DESCRIPTOR_CODE
        mov     [rdi + 16], rax
        spare_descriptor DESCRIPTOR_LDT | LDT << 16 | 3 * 8 - 1
        mov     ecx, SELECTOR_SPARE
        lldt    cx
%endmacro

%macro load 3
        load_ldt
        mov     eax, %2
.here:  mov     ds, eax
.next:  done
expect  %1, .here, code %3, then .next
%endmacro

fault   0, "ldt-data", "MOV DS with a data segment of the LDT"
        load_ldt
        mov     eax, LDT_DATA
        mov     ds, eax
        mov     ecx, ds
        mov     eax, SELECTOR_KERNEL_DATA
        mov     ds, eax
        cmp     ecx, LDT_DATA
        jne     .wrong
        done
.wrong: done    1

fault   0, "np-ldt", "MOV DS with a not-present segment of the LDT"
        load    NP, LDT_NOT_PRESENT, LDT_NOT_PRESENT

fault   0, "gp-ldt-beyond", "MOV DS beyond the limit of the LDT"
        load    GP, LDT_BEYOND, LDT_BEYOND

; The handler runs in the LDT's segment: what it raises itself was saved with that CS.
fault   0, "ldt-gate", "INT n through a gate to a segment of the LDT"
        load_ldt
        gate_selector OWN_VECTOR, LDT_CODE
        int     OWN_VECTOR
.next:  done
expect  OWN_VECTOR, .next, saved_cs SELECTOR_KERNEL_CODE, repair .look
expect  BP, .inside, saved_cs LDT_CODE

routine .look
        int3
.inside:
        ret

fault   0, "np-gate-ldt", "INT n, a gate to the LDT, not present"
        load_ldt
        mov     edi, LDT + (LDT_CODE & ~7)
        mov     rax, DESCRIPTOR_CODE & ~DESCRIPTOR_P
        mov     [rdi], rax
        gate_selector OWN_VECTOR, LDT_CODE
.here:  int     OWN_VECTOR
.next:  done
expect  NP, .here, code LDT_CODE, then .next

; Whoever loads the selector, it is the supervisor that reads the table, and that marks the segment as
; accessed there: no U in the code. SDM vol. 3, 4.6.1.
%macro load_user 0
        mov     eax, LDT_DATA | SELECTOR_RPL
.here:  mov     ds, eax
.next:  done
%endmacro

fault   3, "pf-user-ldt", "MOV DS in ring 3, the LDT's page not present", prepare .make
        load_user
expect  PF, .here, code 0, cr2 LDT, then .next

routine .make
        load_ldt
        page_entry LDT
        and     qword [rax], ~PTE_P
        invlpg  [LDT]
        ret

fault   3, "pf-user-ldt-accessed", "MOV DS in ring 3, the LDT's page read-only", prepare .make
        load_user
expect  PF, .here, code PF_P | PF_W, then .next

routine .make
        load_ldt
        mov     rax, DESCRIPTOR_DATA | DESCRIPTOR_DPL3
        mov     [LDT + LDT_DATA - ERROR_TI], rax
        page_entry LDT
        and     qword [rax], ~PTE_RW
        invlpg  [LDT]
        ret
