; A jump into a page with the XD bit: CR2 and the saved RIP are the same address.
%include "fault.inc"

fault   0, "pf-execute-nx", "a fetch from a no-execute page"
        mov     rax, PAGE_NO_EXECUTE
        jmp     rax
.next:  done
expect  PF, PAGE_NO_EXECUTE, code PF_P | PF_I, cr2 PAGE_NO_EXECUTE, then .next
