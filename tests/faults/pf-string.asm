; A string instruction that faults on its way has done what its registers say, up or down, and goes
; on from there. SDM vol. 2, REP.
%include "fault.inc"

%assign PAGE_SIZE 4096

; Eight bytes, the last four of which are on the page that is not there. movsb_across DIRECTION,
; SOURCE, TARGET, CODE, CR2; the registers are then that of the byte that could not be moved.
%macro movsb_across 5
        mov     esi, %2
        mov     edi, %3
        mov     ecx, 8
        %1
.here:  rep movsb
.next:  cld
        done
%ifidn %1, std
expect  PF, .here, code %4, cr2 %5, rcx 4, rsi %2 - 4, rdi %3 - 4, rflags_set RFLAGS_DF, then .next
%else
expect  PF, .here, code %4, cr2 %5, rcx 4, rsi %2 + 4, rdi %3 + 4, rflags_clear RFLAGS_DF, then .next
%endif
%endmacro

%macro write_up 2
        movsb_across cld, %1 + 0x100, %1 + PAGE_SIZE - 4, PF_W | %2, %1 + PAGE_SIZE
%endmacro

%macro write_down 2
        movsb_across std, %1 + 0x100, %1 + 3, PF_W | %2, %1 - 1
%endmacro

%macro read_up 2
        movsb_across cld, %1 + PAGE_SIZE - 4, %1 + 0x100, %2, %1 + PAGE_SIZE
%endmacro

%macro read_down 2
        movsb_across std, %1 + 3, %1 + 0x100, %2, %1 - 1
%endmacro

fault   0, "pf-movsb-write-up", "REP MOVSB that runs out of a page"
        write_up PAGE_SUPERVISOR, 0

fault   0, "pf-movsb-write-down", "REP MOVSB that runs out of a page, DF set"
        write_down PAGE_SUPERVISOR, 0

fault   0, "pf-movsb-read-up", "REP MOVSB whose source runs out of a page"
        read_up PAGE_SUPERVISOR, 0

fault   0, "pf-movsb-read-down", "REP MOVSB, source runs out of a page, DF set"
        read_down PAGE_SUPERVISOR, 0

fault   3, "pf-user-movsb-write-up", "REP MOVSB that runs out of a page in ring 3"
        write_up PAGE_USER, PF_U

fault   3, "pf-user-movsb-write-down", "REP MOVSB out of a page in ring 3, DF set"
        write_down PAGE_USER, PF_U

fault   3, "pf-user-movsb-read-up", "REP MOVSB, source out of a page in ring 3"
        read_up PAGE_USER, PF_U

fault   3, "pf-user-movsb-read-down", "REP MOVSB, source out of a page, ring 3, DF"
        read_down PAGE_USER, PF_U
