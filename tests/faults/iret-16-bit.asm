; A trap out of 16-bit segments, and IRETQ back to them: the segments of ring 3 may be what they like.
; With a 16-bit stack segment IRETQ loads SP alone, and what is above it stays ring 0's: so Linux has
; its espfix. What RSP is then the manuals leave open, and so no saved RSP is compared here.
%include "fault.inc"
%include "tables.inc"
%include "debug.inc"

; linker.ld has ring 3's code there: less than 64 KiB of it.
%assign USER_TEXT               0x400000

%assign DESCRIPTOR_DATA16       0x0000F2000000FFFF
%assign DESCRIPTOR_CODE16       0x0000FA000000FFFF | USER_TEXT << 16

%macro iretq_with 3
        mov     rbx, rsp
        push    %1
        push    rbx
        push    RFLAGS_FIXED
        push    %2
        push    %3
        iretq
%endmacro

fault   3, "iret-user-ss16", "IRETQ to a 16-bit stack, and a trap there", prepare .make
        iretq_with SELECTOR_SPARE + 3, SELECTOR_USER_CODE32, .target
        bits    32
.target:
        int3
.next:  mov     eax, SELECTOR_USER_DATA
        mov     ss, eax
        mov     esp, ebx
        done
        bits    64
expect  BP, .next, saved_cs SELECTOR_USER_CODE32, saved_ss SELECTOR_SPARE + 3

routine .make
        spare_descriptor DESCRIPTOR_DATA16
        ret

fault   3, "iret-user-cs16", "IRETQ to 16-bit code, and a trap there", prepare .make
        iretq_with SELECTOR_USER_DATA, SELECTOR_SPARE + 3, .target - USER_TEXT
        bits    16
.target:
        int3
.next:  jmp     dword SELECTOR_USER_CODE:.wide
        bits    64
.wide:  mov     rsp, rbx
        done
expect  BP, .next - USER_TEXT, saved_cs SELECTOR_SPARE + 3, saved_ss SELECTOR_USER_DATA

routine .make
        spare_descriptor DESCRIPTOR_CODE16
        ret

; An instruction breakpoint is a linear address: SDM vol. 3, 17.2.4.
fault   3, "db-user-exec-base", "a breakpoint in code that has a base", prepare .make
        mov     dword [rsp - 16], .target - USER_TEXT
        mov     word [rsp - 12], SELECTOR_SPARE + 3
        jmp     far dword [rsp - 16]
        bits    16
.target:
        jmp     dword SELECTOR_USER_CODE:.wide
        bits    64
.wide:  done
expect  DB, .target - USER_TEXT, dr6 DR6_B0, saved_cs SELECTOR_SPARE + 3, repair .pass

routine .make
        spare_descriptor DESCRIPTOR_CODE16
        breakpoint 0, .target, EXECUTE, 1
        ret

routine .pass
        pass_breakpoint
        ret
