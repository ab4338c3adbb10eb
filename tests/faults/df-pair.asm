; A fault while the CPU delivers a fault. The first one's gate is broken in a way that makes the
; second. Both contributory (#DE #TS #NP #SS #GP), or a #PF followed by one of them or by another
; #PF: a double fault, whose saved RIP here is that of the first. SDM vol. 3, table 6-5.
%include "fault.inc"
%include "tables.inc"

%assign UNMAPPED PAGE_NOT_PRESENT + 0x800
%assign NONCANONICAL 0x0000900000000000

; The second fault, by the gate of the vector.
%macro second_NP 1
        gate_attributes %1, GATE_INTERRUPT
%endmacro

%macro second_GP 1
        gate_selector %1, SELECTOR_KERNEL_DATA
%endmacro

%macro second_TS 1
        gate_ist %1, SPARE_IST
        tss_limit TSS_IST1 + 8 * (SPARE_IST - 1) - 1
%endmacro

%macro second_SS 1
        gate_ist %1, SPARE_IST
        spare_ist NONCANONICAL
%endmacro

%macro second_PF 1
        gate_ist %1, SPARE_IST
        spare_ist UNMAPPED
%endmacro

; The first fault, at .here.
%macro first_DE 0
        xor     eax, eax
        xor     edx, edx
.here:  div     eax
%endmacro

%macro first_TS 0
        gate_ist VECTOR_UD, SPARE_IST + 1
        tss_limit TSS_IST1 + 8 * (SPARE_IST - 1) - 1
.here:  ud2
%endmacro

%macro first_NP 0
        mov     eax, SELECTOR_NOT_PRESENT
.here:  mov     ds, eax
%endmacro

%macro first_SS 0
        mov     eax, SELECTOR_NOT_PRESENT
.here:  mov     ss, eax
%endmacro

%macro first_GP 0
        mov     rax, NONCANONICAL
.here:  mov     cl, [rax]
%endmacro

%macro first_PF 0
        mov     rax, PAGE_NOT_PRESENT
.here:  mov     cl, [rax]
%endmacro

%macro pair 2
        second_%2 VECTOR_%1
        first_%1
        done
expect  DF, .here, code 0, stack DF_STACK, abandon
%endmacro

fault   0, "df-de-ts", "#TS while #DE is delivered"
        pair    DE, TS

fault   0, "df-de-np", "#NP while #DE is delivered"
        pair    DE, NP

fault   0, "df-de-ss", "#SS while #DE is delivered"
        pair    DE, SS

fault   0, "df-de-gp", "#GP while #DE is delivered"
        pair    DE, GP

fault   0, "df-ts-ts", "#TS while #TS is delivered"
        pair    TS, TS

fault   0, "df-ts-np", "#NP while #TS is delivered"
        pair    TS, NP

; The stack of the second fault must lie within the TSS, in front of the first one's.
fault   0, "df-ts-ss", "#SS while #TS is delivered"
        second_SS VECTOR_TS
        gate_ist VECTOR_UD, SPARE_IST + 1
        tss_limit TSS_IST1 + 8 * SPARE_IST - 1
.here:  ud2
        done
expect  DF, .here, code 0, stack DF_STACK, abandon

fault   0, "df-ts-gp", "#GP while #TS is delivered"
        pair    TS, GP

fault   0, "df-np-ts", "#TS while #NP is delivered"
        pair    NP, TS

fault   0, "df-np-np", "#NP while #NP is delivered"
        pair    NP, NP

fault   0, "df-np-ss", "#SS while #NP is delivered"
        pair    NP, SS

fault   0, "df-np-gp", "#GP while #NP is delivered"
        pair    NP, GP

fault   0, "df-ss-ts", "#TS while #SS is delivered"
        pair    SS, TS

fault   0, "df-ss-np", "#NP while #SS is delivered"
        pair    SS, NP

fault   0, "df-ss-ss", "#SS while #SS is delivered"
        pair    SS, SS

fault   0, "df-ss-gp", "#GP while #SS is delivered"
        pair    SS, GP

fault   0, "df-gp-ts", "#TS while #GP is delivered"
        pair    GP, TS

fault   0, "df-gp-np", "#NP while #GP is delivered"
        pair    GP, NP

fault   0, "df-gp-ss", "#SS while #GP is delivered"
        pair    GP, SS

fault   0, "df-gp-gp", "#GP while #GP is delivered"
        pair    GP, GP

%macro page_fault_pair 1
        second_%1 VECTOR_PF
        first_PF
        done
expect  DF, .here, code 0, stack DF_STACK, abandon
%endmacro

fault   0, "df-pf-ts", "#TS while #PF is delivered"
        page_fault_pair TS

fault   0, "df-pf-np", "#NP while #PF is delivered"
        page_fault_pair NP

fault   0, "df-pf-ss", "#SS while #PF is delivered"
        page_fault_pair SS

fault   0, "df-pf-gp", "#GP while #PF is delivered"
        page_fault_pair GP

fault   0, "df-pf-pf", "#PF while #PF is delivered: the second CR2"
        second_PF VECTOR_PF
        first_PF
        done
expect  DF, .here, code 0, cr2 UNMAPPED - 8, stack DF_STACK, abandon

; The other way into it: a change of rings to a stack that is not there. INT3 breaks TSS.RSP0 and
; leaves what it was in R15, for the handler of the double fault to put right.
%macro bad_rsp0 1
        int3
.here:  ud2
        done
expect  BP, .here, repair .break
expect  DF, .here, code 0, saved_cs SELECTOR_USER_CODE, stack DF_STACK, repair .mend, abandon

routine .break
        this_cpu rdx
        mov     rax, %1
        xchg    rax, [rdx + TSS_RSP0]
        mov     [rdi + REGS_R15], rax
        ret

routine .mend
        tss_field TSS_RSP0, [rdi + REGS_R15]
        ret
%endmacro

fault   3, "df-user-unmapped", "TSS.RSP0 on a not-present page"
        bad_rsp0 UNMAPPED

fault   3, "df-user-noncanonical", "TSS.RSP0 that is not canonical"
        bad_rsp0 NONCANONICAL
