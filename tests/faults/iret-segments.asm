; Going back to ring 3, IRETQ makes DS, ES, FS and GS null where they have a segment that ring 3 may
; not use, so that no selector of the kernel's leaks. SDM vol. 2, IRET.
%include "fault.inc"

; DS, ES, FS and GS all have the selector in ECX.
%macro check_segments 0
        mov     eax, ds
        cmp     eax, ecx
        jne     .wrong
        mov     eax, es
        cmp     eax, ecx
        jne     .wrong
        mov     eax, fs
        cmp     eax, ecx
        jne     .wrong
        mov     eax, gs
        cmp     eax, ecx
        jne     .wrong
%endmacro

; Load all of them. ECX = the selector.
%macro load_segments 1
        mov     eax, %1
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ecx, eax
%endmacro

fault   3, "iret-user-segments", "the kernel's DS, ES, FS and GS become null"
        load_segments SELECTOR_USER_DATA
        int3
.next:  xor     ecx, ecx
        check_segments
        done
.wrong: done    1
expect  BP, .next, repair .load

routine .load
        load_segments SELECTOR_KERNEL_DATA
        ret

fault   3, "iret-user-own-segments", "ring 3's own DS, ES, FS and GS stay"
        load_segments SELECTOR_USER_DATA
        int3
.next:  check_segments
        done
.wrong: done    1
expect  BP, .next
