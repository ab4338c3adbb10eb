; Faults during delivery that make no double fault: after a benign one (#UD, #BP, #NM, an
; interrupt), and #PF after a contributory one, the second is delivered as itself and the first is
; forgotten; whoever returns from it raises the first again. SDM vol. 3, table 6-5.
%include "fault.inc"
%include "tables.inc"

%assign UNMAPPED PAGE_NOT_PRESENT + 0x800
%assign NONCANONICAL 0x0000900000000000

; unmapped_stack VECTOR, noncanonical_stack VECTOR: its gate leads to a stack that is not there.
%macro unmapped_stack 1
        gate_ist %1, SPARE_IST
        spare_ist UNMAPPED
%endmacro

%macro noncanonical_stack 1
        gate_ist %1, SPARE_IST
        spare_ist NONCANONICAL
%endmacro

fault   0, "serial-ud-gp", "#GP while #UD is delivered is #GP"
        gate_selector VECTOR_UD, SELECTOR_KERNEL_DATA
.here:  ud2
.next:  done
expect  GP, .here, code SELECTOR_KERNEL_DATA | ERROR_EXT, then .next

fault   0, "serial-bp-gp", "#GP while INT3 is delivered: no EXT"
        gate_selector VECTOR_BP, SELECTOR_KERNEL_DATA
.here:  int3
.next:  done
expect  GP, .here, code SELECTOR_KERNEL_DATA, then .next

fault   0, "serial-nm-gp", "#GP while #NM is delivered is #GP"
        gate_selector VECTOR_NM, SELECTOR_KERNEL_DATA
        mov     rax, cr0
        or      rax, CR0_TS
        mov     cr0, rax
.here:  fnop
.next:  done
expect  GP, .here, code SELECTOR_KERNEL_DATA | ERROR_EXT, then .next

fault   0, "serial-ud-ss", "#SS while #UD is delivered is #SS"
        noncanonical_stack VECTOR_UD
.here:  ud2
.next:  done
expect  SS, .here, code ERROR_EXT, then .next

fault   0, "serial-bp-ss", "#SS while INT3 is delivered: no EXT"
        noncanonical_stack VECTOR_BP
.here:  int3
.next:  done
expect  SS, .here, code 0, then .next

fault   0, "serial-ud-pf", "#PF while #UD is delivered is #PF"
        unmapped_stack VECTOR_UD
.here:  ud2
.next:  done
expect  PF, .here, code PF_W, cr2 UNMAPPED - 8, then .next

fault   0, "serial-de-pf", "#PF while #DE is delivered is #PF"
        unmapped_stack VECTOR_DE
        xor     eax, eax
        xor     edx, edx
.here:  div     eax
.next:  done
expect  PF, .here, code PF_W, cr2 UNMAPPED - 8, then .next

; #TS by an IST slot behind the limit of the TSS, which that of #TS itself lies in front of.
fault   0, "serial-ts-pf", "#PF while #TS is delivered is #PF"
        unmapped_stack VECTOR_TS
        gate_ist VECTOR_UD, SPARE_IST + 1
        tss_limit TSS_IST1 + 8 * SPARE_IST - 1
.here:  ud2
.next:  done
expect  PF, .here, code PF_W, cr2 UNMAPPED - 8, then .next

fault   0, "serial-np-pf", "#PF while #NP is delivered is #PF"
        unmapped_stack VECTOR_NP
        mov     eax, SELECTOR_NOT_PRESENT
.here:  mov     ds, eax
.next:  done
expect  PF, .here, code PF_W, cr2 UNMAPPED - 8, then .next

fault   0, "serial-ss-pf", "#PF while #SS is delivered is #PF"
        unmapped_stack VECTOR_SS
        mov     eax, SELECTOR_NOT_PRESENT
.here:  mov     ss, eax
.next:  done
expect  PF, .here, code PF_W, cr2 UNMAPPED - 8, then .next

fault   0, "serial-gp-pf", "#PF while #GP is delivered is #PF"
        unmapped_stack VECTOR_GP
        mov     rax, NONCANONICAL
.here:  mov     cl, [rax]
.next:  done
expect  PF, .here, code PF_W, cr2 UNMAPPED - 8, then .next

; The first one comes again, once the second has been mended.
fault   0, "serial-ud-again", "#NP while #UD is delivered, then #UD again"
        gate_attributes VECTOR_UD, GATE_INTERRUPT
.here:  ud2
.next:  done
expect  NP, .here, code VECTOR_UD << 3 | ERROR_IDT | ERROR_EXT, repair .mend
expect  UD, .here, then .next

routine .mend
        gate_attributes VECTOR_UD, GATE_PRESENT | GATE_INTERRUPT
        ret
