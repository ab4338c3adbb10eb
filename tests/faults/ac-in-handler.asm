; A program may have set AC, and under SMAP that lets ring 0 touch user pages. A handler must not
; inherit it: its read of a user page is #PF, as if the program had not. The first trap has an error
; code, for without one the kernel looks at the code in front of RIP, and CLAC ends that.
%include "fault.inc"

fault   0, "ac-in-handler", "a handler does not inherit RFLAGS.AC (SMAP)", needs SMAP
        pushfq
        or      qword [rsp], RFLAGS_AC
        popfq
.here:  mov     al, [PAGE_NOT_PRESENT]
.next:  done
expect  PF, .here, code 0, cr2 PAGE_NOT_PRESENT, repair .touch, then .next
expect  PF, .read, code PF_P, cr2 PAGE_USER, then .back

routine .touch
.read:  mov     al, [PAGE_USER]
.back:  ret
