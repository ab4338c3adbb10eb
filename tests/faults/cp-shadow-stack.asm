; Shadow stacks: CALL keeps the return address on a second stack, which no MOV can write to, and RET
; compares. SDM vol. 1, 17.2.
%include "fault.inc"
%include "tables.inc"

; Where each ring's shadow stack begins. The kernel's has a token there: its own address, and bit 0
; while it is in use.
%assign USER_SSP PAGE_USER_READ_ONLY + 0x800
%assign KERNEL_SSP PAGE_SUPERVISOR + 0x800

; shadow_page PAGE: not writable and yet dirty, which is how the CPU knows it. SDM vol. 3, 4.6.
%macro shadow_page 1
        page_entry %1
        and     qword [rax], ~PTE_RW
        or      qword [rax], PTE_D
        invlpg  [%1]
%endmacro

%macro enable_cet 0
        mov     rax, cr4
        or      rax, CR4_CET
        mov     cr4, rax
%endmacro

; user_shadow_stack SSP: the routine that gives ring 3 one.
%macro user_shadow_stack 1
routine .prepare
        enable_cet
        set_msr IA32_PL3_SSP, %1
        set_msr IA32_U_CET, CET_SH_STK_EN
        shadow_page PAGE_USER_READ_ONLY
        ret
%endmacro

fault   3, "cp-user-ret", "RET to another place than CALL's", needs CET_SS, prepare .prepare
        call    .function
.next:  done
.function:
        lea     rax, [rel .elsewhere]
        mov     [rsp], rax
.here:  ret
.elsewhere:
        done    1
.mend:  lea     rax, [rel .next]
        mov     [rsp], rax
        ret
expect  CP, .here, code CP_NEAR_RET, then .mend
        user_shadow_stack USER_SSP

fault   3, "cp-user-rstorssp", "RSTORSSP where there is no token", needs CET_SS, prepare .prepare
        mov     eax, USER_SSP
.here:  rstorssp [rax]
.next:  done
expect  CP, .here, code CP_RSTORSSP, then .next
        user_shadow_stack USER_SSP

fault   3, "pf-user-shadow-stack", "CALL, SSP in an ordinary page", needs CET_SS, prepare .prepare
.here:  call    .next                   ; CALL of the very next instruction would not use it
        done    1
.next:  done
expect  PF, .here, code PF_P | PF_W | PF_U | PF_SS, cr2 PAGE_USER + 0x7F8, then .next
        user_shadow_stack PAGE_USER + 0x800

; The kernel's. Interrupts of ring 0 use it, too: the CPU pushes CS, RIP and SSP there, and IRETQ
; compares, so that no handler may return elsewhere.
%macro kernel_shadow_stack 0
        enable_cet
        mov     rax, KERNEL_SSP
        mov     [rax], rax
        shadow_page PAGE_SUPERVISOR
        set_msr IA32_PL0_SSP, KERNEL_SSP
        mov     ecx, IA32_S_CET
        rdmsr
        or      eax, CET_SH_STK_EN
        wrmsr
        setssbsy
%endmacro

%macro no_shadow_stack 0
        mov     ecx, IA32_S_CET
        rdmsr
        and     eax, ~CET_SH_STK_EN
        wrmsr
%endmacro

fault   0, "cp-ret", "RET to another place; the handler mends it", needs CET_SS
        kernel_shadow_stack
        call    .function
.next:  no_shadow_stack
        done
.function:
        lea     rax, [rel .elsewhere]
        mov     [rsp], rax
.here:  ret
.elsewhere:
        no_shadow_stack
        done    1
expect  CP, .here, code CP_NEAR_RET, repair .mend

routine .mend
        mov     rax, [rdi + REGS_RSP]
        lea     rdx, [rel .next]
        mov     [rax], rdx
        ret

fault   0, "cp-iret", "IRETQ of a frame that no interrupt pushed", needs CET_SS
        kernel_shadow_stack
        mov     rax, rsp
        push    SELECTOR_KERNEL_DATA
        push    rax
        pushfq
        push    SELECTOR_KERNEL_CODE
        lea     rax, [rel .next]
        push    rax
.here:  iretq
.next:  no_shadow_stack
        done    1
expect  CP, .here, code CP_FAR_RET_IRET, abandon

fault   0, "cp-setssbsy", "SETSSBSY with a token that is in use", needs CET_SS
        kernel_shadow_stack
.here:  setssbsy
        no_shadow_stack
        done    1
expect  CP, .here, code CP_SETSSBSY, abandon
