; A trap inside the handler of another: the inner frame lies below the outer one on the same stack.
%include "fault.inc"

fault   0, "bp-in-handler", "INT3 inside the handler of a #DE"
        xor     edx, edx
        xor     ecx, ecx
        mov     eax, 42
.here:  div     ecx
        cmp     eax, 6                  ; 42 / 7, so the handler went on behind its own trap
        jne     .wrong
        done
.wrong: done    1
expect  DE, .here, repair .mend
expect  BP, .inner

routine .mend
        int3
.inner: mov     qword [rdi + REGS_RCX], 7
        ret
