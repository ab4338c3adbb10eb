; Endless recursion: the push that reaches the guard page faults, the #PF finds no stack to push its
; frame on, and that is a double fault. Only its own IST stack makes it survivable.
%include "fault.inc"

fault   0, "df-stack-overflow", "the kernel stack runs into its guard page"
        this_cpu rax
        lea     rsp, [rax + KERNEL_STACK_LOW - CPU_BASE]
.here:  push    rax
        done
expect  DF, .here, code 0, cr2 KERNEL_STACK_LOW - 8, abandon

; There the #SS finds no stack, either.
fault   0, "df-push", "PUSH with a non-canonical RSP"
        mov     rsp, 0x0000900000000000
.here:  push    rax
        done
expect  DF, .here, code 0, stack DF_STACK, abandon
