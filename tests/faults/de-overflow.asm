; The other ways to #DE: a quotient that does not fit, and AAM by zero, which is 32-bit code's.
%include "fault.inc"

%macro overflow 0
        mov     eax, 0x80000000         ; the most negative number ...
        cdq
        mov     ecx, -1
.here:  idiv    ecx                     ; ... has no positive counterpart
.next:  done
expect  DE, .here, then .next
%endmacro

fault   0, "de-idiv-overflow", "IDIV whose quotient does not fit"
        overflow

fault   3, "de-user-idiv-overflow", "IDIV whose quotient does not fit, in ring 3"
        overflow

fault   3, "de-user-aam", "AAM 0 in a 32-bit compatibility segment"
        jmp     far dword [rel .pointer]
.pointer:
        dd      .compatibility
        dw      SELECTOR_USER_CODE32

        bits    32
.compatibility:
.here:  aam     0
.next:  done
expect  DE, .here, saved_cs SELECTOR_USER_CODE32, then .next
        bits    64
