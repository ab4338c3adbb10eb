; INTO exists in 32-bit code only: ring 3 goes to a compatibility segment and back.
%include "fault.inc"

fault   3, "of-into", "INTO in a 32-bit compatibility segment"
        jmp     far dword [rel .pointer]
.pointer:
        dd      .compatibility
        dw      SELECTOR_USER_CODE32

        bits    32
.compatibility:
        mov     al, 0x7F
        add     al, 1                   ; sets OF
        into
.next:  done
expect  OF, .next
        bits    64
