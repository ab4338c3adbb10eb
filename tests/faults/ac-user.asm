; CR0.AM (kernel/cpu/cpu.c) and RFLAGS.AC together check alignment, in ring 3 alone.
%include "fault.inc"

fault   3, "ac-user", "an unaligned read in ring 3 with RFLAGS.AC"
        pushfq
        or      qword [rsp], RFLAGS_AC
        popfq
        mov     eax, PAGE_USER + 1
.here:  mov     ecx, [rax]
.next:  done
expect  AC, .here, code 0, then .next
