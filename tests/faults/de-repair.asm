; A fault is restartable: the handler mends the divisor, and the same DIV completes.
%include "fault.inc"

fault   0, "de-repair", "DIV by zero, mended by the handler"
        xor     edx, edx
        xor     ecx, ecx
        mov     eax, 42
.here:  div     ecx
        cmp     eax, 6                  ; 42 / 7, so the second try took the handler's divisor
        jne     .wrong
        done
.wrong: done    1
expect  DE, .here, repair .mend

routine .mend
        mov     qword [rdi + REGS_RCX], 7
        ret
