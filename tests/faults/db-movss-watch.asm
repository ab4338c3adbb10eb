; MOV SS of a watched word. Its #DB waits for the instruction behind it, as a single step does; where
; that is INT n, it comes in ring 0, before the handler's first instruction (CVE-2018-8897). SDM
; vol. 3, 6.8.3.
%include "fault.inc"
%include "debug.inc"

%assign WATCHED PAGE_SUPERVISOR + 0x100

extern isr_3_BP
extern isr_96

%macro watch_ss 0
        mov     rbx, WATCHED
        mov     [rbx], ss
        breakpoint 0, WATCHED, ACCESS, 2
        mov     ss, [rbx]
%endmacro

fault   0, "db-movss-watch", "MOV SS of a watched word: #DB waits"
        watch_ss
        nop
.next:  done
expect  DB, .next, dr6 DR6_B0

fault   0, "db-movss-watch-int", "a watched MOV SS, INT n: #DB in its handler"
        watch_ss
        int     OWN_VECTOR
.next:  done
expect  DB, isr_96, dr6 DR6_B0
expect  OWN_VECTOR, .next

; The store is watched, too.
fault   3, "db-user-movss-watch-int3", "a watched MOV SS, INT3: #DB comes in ring 0", prepare .set
        mov     ebx, PAGE_USER
        mov     [rbx], ss
.stored:
        mov     ss, [rbx]
        int3
.next:  done
expect  DB, .stored, dr6 DR6_B0
expect  DB, isr_3_BP, dr6 DR6_B0, saved_cs SELECTOR_KERNEL_CODE
expect  BP, .next, saved_cs SELECTOR_USER_CODE

routine .set
        breakpoint 0, PAGE_USER, ACCESS, 2
        ret
