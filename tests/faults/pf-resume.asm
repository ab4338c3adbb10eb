; What page faults are for: the handler makes the page good, and the instruction runs again.
%include "fault.inc"
%include "tables.inc"

; allow PAGE, BITS: the routine that a handler calls.
%macro allow 2
routine .allow
        page_entry %1
        or      qword [rax], %2
        invlpg  [%1]
        ret
%endmacro

fault   0, "pf-resume-read", "a read, completed on a page now mapped"
        mov     rax, PAGE_NOT_PRESENT
        mov     ecx, -1
.here:  mov     ecx, [rax]
        test    ecx, ecx                ; a fresh page is all zeros
        jnz     .wrong
        done
.wrong: done    1
expect  PF, .here, code 0, cr2 PAGE_NOT_PRESENT, repair .allow
        allow   PAGE_NOT_PRESENT, PTE_P

fault   3, "pf-user-resume-write", "a write, completed on a page now writable"
        mov     eax, PAGE_USER_READ_ONLY
        mov     ecx, 0x12345678
.here:  mov     [rax], ecx
        cmp     [rax], ecx
        jne     .wrong
        done
.wrong: done    1
expect  PF, .here, code PF_P | PF_U | PF_W, cr2 PAGE_USER_READ_ONLY, repair .allow
        allow   PAGE_USER_READ_ONLY, PTE_RW

; A string instruction keeps its progress in RCX, RSI and RDI, and goes on from there.
%assign NEXT_PAGE PAGE_USER + 4096

fault   3, "pf-user-resume-rep", "REP STOSB, completed on a page now mapped"
        mov     edi, NEXT_PAGE - 3
        mov     ecx, 8
        mov     al, 0x5A
.here:  rep stosb
        test    ecx, ecx
        jnz     .wrong
        cmp     byte [NEXT_PAGE + 4], 0x5A
        jne     .wrong
        done
.wrong: done    1
expect  PF, .here, code PF_U | PF_W, cr2 NEXT_PAGE, repair .map

; The same frame twice; kernel/faults/state.c unmaps it afterwards.
routine .map
        cmp     qword [rdi + REGS_RCX], 5
        jne     .not_yet
        page_entry PAGE_USER
        mov     rcx, [rax]
        mov     [rax + 8], rcx
.not_yet:
        ret
