; The CPU aligns RSP down to 16 before it pushes, whatever RSP was, with or without a code and a
; change of stacks; RSP itself is saved exactly. kernel/faults/judge.c holds every frame against the
; first half, the entries here against the second.
%include "fault.inc"

%assign KERNEL_TOP KERNEL_STACK_LOW + 0x1000    ; far below what is in use
%assign USER_TOP USER_STACK_LOW + 0x1000

; without_code STACK, MISALIGNMENT. RDI is STACK, as this CPU has it.
%macro without_code 2
        lea     rsp, [rdi - %2]
        int3
.next_%[%2]:
expect  BP, .next_%2, saved_rsp %1 - %2
%endmacro

%macro with_code 2
        lea     rsp, [rdi - %2]
.here_%[%2]:
        mov     cl, [rax]
.next_%[%2]:
expect  GP, .here_%2, code 0, saved_rsp %1 - %2, then .next_%2
%endmacro

; all_16 KIND, STACK
%macro all_16 2
        mov     rbx, rsp
        mov     rax, 0x0000800000000000
    %assign misalignment 0
    %rep 16
        %1      %2, misalignment
        %assign misalignment misalignment + 1
    %endrep
        mov     rsp, rbx
        done
%endmacro

%macro kernel_top 0
        this_cpu rdi
        add     rdi, KERNEL_TOP - CPU_BASE
%endmacro

fault   0, "align", "INT3 at all 16 values of RSP mod 16"
        kernel_top
        all_16  without_code, KERNEL_TOP

fault   0, "align-code", "#GP with its code, at all 16 of RSP mod 16"
        kernel_top
        all_16  with_code, KERNEL_TOP

fault   3, "align-user", "INT3 in ring 3 at all 16 of RSP mod 16"
        mov     edi, USER_TOP
        all_16  without_code, USER_TOP

fault   3, "align-user-code", "#GP in ring 3 at all 16 of RSP mod 16"
        mov     edi, USER_TOP
        all_16  with_code, USER_TOP
