; #OF and #BR: INTO and BOUND exist in 32-bit code only.
%include "fault.inc"

fault   0, "of-int4", "INT 4, without the flag"
        int     4
.next:  done
expect  OF, .next

fault   3, "of-user-int4", "INT 4 in ring 3: its gate has DPL 3"
        int     4
.next:  done
expect  OF, .next

; 64-bit mode has given the opcodes away. SDM vol. 2, INTO, and APM vol. 3, INTO: #UD.
%macro gone 1
.here:  db      %1
        nop
        nop
.next:  done
expect  UD, .here, then .next
%endmacro

fault   0, "ud-into", "INTO in 64-bit mode"
        gone    0xCE

fault   3, "ud-user-into", "INTO in 64-bit mode, in ring 3"
        gone    0xCE

; IRETQ to ring 3 leaves DS null, since the kernel's is no segment for ring 3.
%macro compatibility 0
        mov     eax, SELECTOR_USER_DATA
        mov     ds, eax
        jmp     far dword [rel .pointer]
        align   4
.pointer:
        dd      .compatibility
        dw      SELECTOR_USER_CODE32
.bounds:
        dd      10, 20
        bits    32
.compatibility:
%endmacro

fault   3, "of-into-clear", "INTO with OF clear does nothing"
        compatibility
        xor     eax, eax                ; clears OF
        into
        done
        bits    64

fault   3, "br-bound", "BOUND with the index above the upper bound"
        compatibility
        mov     eax, 21
.here:  bound   eax, [.bounds]
.next:  done
expect  BR, .here, saved_cs SELECTOR_USER_CODE32, then .next
        bits    64

fault   3, "br-bound-below", "BOUND with the index below the lower bound"
        compatibility
        mov     eax, 9
.here:  bound   eax, [.bounds]
.next:  done
expect  BR, .here, then .next
        bits    64

fault   3, "br-bound-inside", "BOUND with the index inside does nothing"
        compatibility
        mov     eax, 20
        bound   eax, [.bounds]
        done
        bits    64
