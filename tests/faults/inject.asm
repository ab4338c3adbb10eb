; Every vector from 0 to 31 as an event of the CPU's own, also those that no instruction raises: by
; SVM event injection. The event says whether an error code is pushed; here it is as the vector has
; it. APM vol. 2, 15.20, lets a CPU refuse what cannot be: an exception that it has not got, or that
; 64-bit mode has not (#BR, #OF).
%include "fault.inc"
%include "tables.inc"
%include "svm.inc"

; deliver EVENT, VECTOR [, options of the expectation]
%macro deliver 2-3+
        mov     rsi, EVENTINJ_V | %1
        call    become_guest
.guest: vmmcall
        done
    %if %0 == 3
expect  %2, .guest, %3
    %else
expect  %2, .guest
    %endif
%endmacro

; inject VECTOR [, options]
%macro inject 1-2+
        deliver EVENTINJ_EXCEPTION | %1, %{1:-1}
%endmacro

; inject_code CODE, VECTOR [, options]
%macro inject_code 2-3+
        deliver EVENTINJ_EXCEPTION | EVENTINJ_EV | (%1) << 32 | %2, %{2:-1}, code %1
%endmacro

fault   0, "inject-de", "#DE, injected", needs SVM
        inject  VECTOR_DE

fault   0, "inject-db", "#DB, injected", needs SVM
        inject  VECTOR_DB

fault   0, "inject-nmi", "an NMI, injected", needs SVM
        deliver EVENTINJ_NMI | VECTOR_NMI, VECTOR_NMI

fault   0, "inject-bp", "#BP, injected", needs SVM
        inject  VECTOR_BP

fault   0, "inject-of", "#OF, injected", needs SVM, may_refuse
        inject  VECTOR_OF

fault   0, "inject-br", "#BR, injected", needs SVM, may_refuse
        inject  VECTOR_BR

fault   0, "inject-ud", "#UD, injected", needs SVM
        inject  VECTOR_UD

fault   0, "inject-nm", "#NM, injected", needs SVM
        inject  VECTOR_NM

fault   0, "inject-df", "#DF with a code, injected", needs SVM
        inject_code 0, VECTOR_DF, stack DF_STACK

fault   0, "inject-cso", "#CSO, injected", needs SVM, may_refuse
        inject  VECTOR_CSO

fault   0, "inject-ts", "#TS with a code, injected", needs SVM
        inject_code SELECTOR_TSS, VECTOR_TS

fault   0, "inject-np", "#NP with a code, injected", needs SVM
        inject_code SELECTOR_NOT_PRESENT, VECTOR_NP

fault   0, "inject-ss", "#SS with a code, injected", needs SVM
        inject_code SELECTOR_NOT_PRESENT, VECTOR_SS

fault   0, "inject-gp", "#GP with a code, injected", needs SVM
        inject_code OWN_VECTOR << 3 | ERROR_IDT, VECTOR_GP

fault   0, "inject-pf", "#PF with a code, injected", needs SVM
        mov     r8, PAGE_READ_ONLY
        inject_code PF_P | PF_W | PF_U, VECTOR_PF, cr2 PAGE_READ_ONLY

fault   0, "inject-15", "vector 15, reserved, injected", needs SVM, may_refuse
        inject  15

fault   0, "inject-mf", "#MF, injected", needs SVM
        inject  VECTOR_MF

fault   0, "inject-ac", "#AC with a code, injected", needs SVM
        inject_code 0, VECTOR_AC

fault   0, "inject-mc", "#MC, injected", needs SVM
        inject  VECTOR_MC, stack MC_STACK

fault   0, "inject-xm", "#XM, injected", needs SVM
        inject  VECTOR_XM

fault   0, "inject-ve", "#VE, injected", needs SVM, may_refuse
        inject  VECTOR_VE

fault   0, "inject-cp", "#CP with a code, injected", needs SVM, may_refuse
        inject_code CP_NEAR_RET, VECTOR_CP

fault   0, "inject-22", "vector 22, reserved, injected", needs SVM, may_refuse
        inject  22

fault   0, "inject-23", "vector 23, reserved, injected", needs SVM, may_refuse
        inject  23

fault   0, "inject-24", "vector 24, reserved, injected", needs SVM, may_refuse
        inject  24

fault   0, "inject-25", "vector 25, reserved, injected", needs SVM, may_refuse
        inject  25

fault   0, "inject-26", "vector 26, reserved, injected", needs SVM, may_refuse
        inject  26

fault   0, "inject-27", "vector 27, reserved, injected", needs SVM, may_refuse
        inject  27

fault   0, "inject-hv", "#HV, injected", needs SVM, may_refuse
        inject  VECTOR_HV

; Its code is why it came: APM vol. 2, appendix C.
%assign VMEXIT_CPUID 0x72

fault   0, "inject-vc", "#VC with a code, injected", needs SVM, may_refuse
        inject_code VMEXIT_CPUID, VECTOR_VC

; APM vol. 2, 8.2.23 "#SX".
%assign SX_INIT 1

fault   0, "inject-sx", "#SX with a code, injected", needs SVM, may_refuse
        inject_code SX_INIT, VECTOR_SX

fault   0, "inject-31", "vector 31, reserved, injected", needs SVM, may_refuse
        inject  31
