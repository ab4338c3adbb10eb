; Every vector from 0 to 31 as an exception of the CPU's, also those that no instruction raises: by
; SVM event injection. The event says whether an error code is pushed; here it is as the vector has
; it. A CPU may refuse a vector that means nothing to it, and then no trap comes: APM vol. 2, 15.20.
%include "fault.inc"
%include "tables.inc"
%include "svm.inc"

; inject VECTOR [, CODE]: by mnemonic or number. R8 = CR2.
%macro inject 1-2
    %ifnum %1
        %assign %%event EVENTINJ_V | EVENTINJ_EXCEPTION | %1
    %elifidn %1, NMI
        %assign %%event EVENTINJ_V | EVENTINJ_NMI | VECTOR_NMI
    %else
        %assign %%event EVENTINJ_V | EVENTINJ_EXCEPTION | VECTOR_%1
    %endif
    %if %0 == 2
        %assign %%event %%event | EVENTINJ_EV | (%2) << 32
    %endif
        mov     rsi, %%event
        call    become_guest
.guest: vmmcall
        done
%endmacro

fault   0, "inject-de", "#DE, injected", needs SVM
        inject  DE
expect  DE, .guest

fault   0, "inject-db", "#DB, injected", needs SVM
        inject  DB
expect  DB, .guest

fault   0, "inject-nmi", "an NMI, injected", needs SVM
        inject  NMI
expect  NMI, .guest

fault   0, "inject-bp", "#BP, injected", needs SVM
        inject  BP
expect  BP, .guest

fault   0, "inject-of", "#OF, injected", needs SVM
        inject  OF
expect  OF, .guest

fault   0, "inject-br", "#BR, injected", needs SVM
        inject  BR
expect  BR, .guest

fault   0, "inject-ud", "#UD, injected", needs SVM
        inject  UD
expect  UD, .guest

fault   0, "inject-nm", "#NM, injected", needs SVM
        inject  NM
expect  NM, .guest

fault   0, "inject-df", "#DF with a code, injected", needs SVM
        inject  DF, 0
expect  DF, .guest, code 0, stack DF_STACK

fault   0, "inject-cso", "#CSO, injected", needs SVM
        inject  CSO
expect  CSO, .guest

fault   0, "inject-ts", "#TS with a code, injected", needs SVM
        inject  TS, SELECTOR_TSS
expect  TS, .guest, code SELECTOR_TSS

fault   0, "inject-np", "#NP with a code, injected", needs SVM
        inject  NP, SELECTOR_NOT_PRESENT
expect  NP, .guest, code SELECTOR_NOT_PRESENT

fault   0, "inject-ss", "#SS with a code, injected", needs SVM
        inject  SS, SELECTOR_NOT_PRESENT
expect  SS, .guest, code SELECTOR_NOT_PRESENT

fault   0, "inject-gp", "#GP with a code, injected", needs SVM
        inject  GP, OWN_VECTOR << 3 | ERROR_IDT
expect  GP, .guest, code OWN_VECTOR << 3 | ERROR_IDT

fault   0, "inject-pf", "#PF with a code, injected", needs SVM
        mov     r8, PAGE_READ_ONLY
        inject  PF, PF_P | PF_W | PF_U
expect  PF, .guest, code PF_P | PF_W | PF_U, cr2 PAGE_READ_ONLY

fault   0, "inject-15", "vector 15, reserved, injected", needs SVM
        inject  15
expect  15, .guest

fault   0, "inject-mf", "#MF, injected", needs SVM
        inject  MF
expect  MF, .guest

fault   0, "inject-ac", "#AC with a code, injected", needs SVM
        inject  AC, 0
expect  AC, .guest, code 0

fault   0, "inject-mc", "#MC, injected", needs SVM
        inject  MC
expect  MC, .guest, stack MC_STACK

fault   0, "inject-xm", "#XM, injected", needs SVM
        inject  XM
expect  XM, .guest

fault   0, "inject-ve", "#VE, injected", needs SVM
        inject  VE
expect  VE, .guest

fault   0, "inject-cp", "#CP with a code, injected", needs SVM
        inject  CP, CP_NEAR_RET
expect  CP, .guest, code CP_NEAR_RET

fault   0, "inject-22", "vector 22, reserved, injected", needs SVM
        inject  22
expect  22, .guest

fault   0, "inject-23", "vector 23, reserved, injected", needs SVM
        inject  23
expect  23, .guest

fault   0, "inject-24", "vector 24, reserved, injected", needs SVM
        inject  24
expect  24, .guest

fault   0, "inject-25", "vector 25, reserved, injected", needs SVM
        inject  25
expect  25, .guest

fault   0, "inject-26", "vector 26, reserved, injected", needs SVM
        inject  26
expect  26, .guest

fault   0, "inject-27", "vector 27, reserved, injected", needs SVM
        inject  27
expect  27, .guest

fault   0, "inject-hv", "#HV, injected", needs SVM
        inject  HV
expect  HV, .guest

; Its code is why it came: APM vol. 2, appendix C.
%assign VMEXIT_CPUID 0x72

fault   0, "inject-vc", "#VC with a code, injected", needs SVM
        inject  VC, VMEXIT_CPUID
expect  VC, .guest, code VMEXIT_CPUID

; APM vol. 2, 8.2.23 "#SX".
%assign SX_INIT 1

fault   0, "inject-sx", "#SX with a code, injected", needs SVM
        inject  SX, SX_INIT
expect  SX, .guest, code SX_INIT

fault   0, "inject-31", "vector 31, reserved, injected", needs SVM
        inject  31
expect  31, .guest
