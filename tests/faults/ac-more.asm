; Alignment checks are for ring 3's data, by the size of the access.
%include "fault.inc"

%macro check_alignment 0
        pushfq
        or      qword [rsp], RFLAGS_AC
        popfq
%endmacro

fault   3, "ac-user-write", "an unaligned write in ring 3 with RFLAGS.AC"
        check_alignment
        mov     eax, PAGE_USER + 2
.here:  mov     [rax], rcx
.next:  done
expect  AC, .here, code 0, then .next

fault   3, "ac-user-aligned", "aligned accesses of all sizes with RFLAGS.AC"
        check_alignment
        mov     eax, PAGE_USER + 8
        mov     rcx, [rax]
        mov     ecx, [rax + 4]
        mov     cx, [rax + 2]
        mov     cl, [rax + 1]
        done

fault   0, "ac-kernel", "no check in ring 0, whatever RFLAGS.AC says"
        check_alignment
        mov     rax, PAGE_SUPERVISOR + 1
        mov     ecx, [rax]
        done
