; Gates that cannot be used. The code names the gate: vector * 8, the IDT bit, and EXT unless it was
; the program itself that asked, by INT n. A gate that is not present is #NP, and no double fault.
; SDM vol. 3, 6.13; APM vol. 2, 8.4.
%include "fault.inc"
%include "tables.inc"

%assign IDT_LIMIT_EXCEPTIONS 32 * 16 - 1
%assign GATE_BAD_TYPE GATE_PRESENT | 0x0A               ; reserved in 64-bit mode: SDM, table 3-2

; by_int EXPECTED VECTOR, CODE
%macro by_int 2
.here:  int     OWN_VECTOR
.next:  done
expect  %1, .here, code %2, then .next
%endmacro

; The interrupt is lost: the local APIC had handed it over before the gate was looked at.
%macro by_ipi 2
        ipi     OWN_VECTOR
        sti
        nop
.here:  cli
        done
expect  %1, .here, code %2
%endmacro

%macro by_ud2 2
.here:  ud2
.next:  done
expect  %1, .here, code %2, then .next
%endmacro

%assign OWN_GATE OWN_VECTOR << 3 | ERROR_IDT
%assign UD_GATE VECTOR_UD << 3 | ERROR_IDT | ERROR_EXT

fault   0, "np-gate-int", "INT n through a not-present gate"
        gate_attributes OWN_VECTOR, GATE_INTERRUPT
        by_int  NP, OWN_GATE

fault   0, "np-gate-int3", "INT3 through a not-present gate"
        gate_attributes VECTOR_BP, GATE_INTERRUPT
.here:  int3
.next:  done
expect  NP, .here, code VECTOR_BP << 3 | ERROR_IDT, then .next

fault   0, "np-gate-exception", "an exception through a not-present gate"
        gate_attributes VECTOR_UD, GATE_INTERRUPT
        by_ud2  NP, UD_GATE

fault   0, "np-gate-irq", "an interrupt through a not-present gate"
        gate_attributes OWN_VECTOR, GATE_INTERRUPT
        by_ipi  NP, OWN_GATE | ERROR_EXT

fault   3, "np-user-gate-int", "INT n through a not-present gate of DPL 3", prepare .break
        by_int  NP, OWN_GATE

routine .break
        gate_attributes OWN_VECTOR, GATE_DPL3 | GATE_INTERRUPT
        ret

fault   3, "np-user-gate-exception", "an exception through a not-present gate", prepare .break
        by_ud2  NP, UD_GATE

routine .break
        gate_attributes VECTOR_UD, GATE_INTERRUPT
        ret

fault   0, "gp-idt-limit-int", "INT n beyond the limit of the IDT"
        idt_limit IDT_LIMIT_EXCEPTIONS
        by_int  GP, OWN_GATE

fault   0, "gp-idt-limit-exception", "an exception beyond the limit of the IDT"
        idt_limit VECTOR_MF * 16 - 1
        fninit
        push    0x037B                  ; #Z unmasked
        fldcw   [rsp]
        pop     rax
        fld1
        fldz
        fdivp
.here:  fwait
.next:  fninit
        done
expect  GP, .here, code VECTOR_MF << 3 | ERROR_IDT | ERROR_EXT, then .next

fault   0, "gp-idt-limit-irq", "an interrupt beyond the limit of the IDT"
        idt_limit IDT_LIMIT_EXCEPTIONS
        by_ipi  GP, OWN_GATE | ERROR_EXT

fault   0, "gp-gate-type", "INT n through a gate of a bad type"
        gate_attributes OWN_VECTOR, GATE_BAD_TYPE
        by_int  GP, OWN_GATE

fault   0, "gp-gate-type-exception", "an exception through a gate of a bad type"
        gate_attributes VECTOR_UD, GATE_BAD_TYPE
        by_ud2  GP, UD_GATE

; From here on the gate is good and its code segment is not: the code is that selector.
fault   0, "gp-gate-null", "INT n through a gate with a null selector"
        gate_selector OWN_VECTOR, 0
        by_int  GP, 0

fault   0, "gp-gate-null-exception", "an exception, a gate with a null selector"
        gate_selector VECTOR_UD, 0
        by_ud2  GP, ERROR_EXT

fault   0, "gp-gate-data", "INT n through a gate to a data segment"
        gate_selector OWN_VECTOR, SELECTOR_KERNEL_DATA
        by_int  GP, SELECTOR_KERNEL_DATA

fault   0, "gp-gate-user", "INT n through a gate to a ring 3 segment"
        gate_selector OWN_VECTOR, SELECTOR_USER_CODE
        by_int  GP, SELECTOR_USER_CODE - 3

fault   0, "np-gate-segment", "INT n, a gate to a not-present segment"
        spare_descriptor DESCRIPTOR_CODE & ~DESCRIPTOR_P
        gate_selector OWN_VECTOR, SELECTOR_SPARE
        by_int  NP, SELECTOR_SPARE

; The IST slot that the gate names lies beyond the limit of the TSS: #TS(TR).
fault   0, "ts-ist-int", "INT n, an IST slot beyond the TSS limit"
        gate_ist OWN_VECTOR, SPARE_IST
        tss_limit TSS_IST1 + 8 * (SPARE_IST - 1) - 1
        by_int  TS, SELECTOR_TSS

fault   0, "ts-ist-exception", "an exception, an IST slot beyond the TSS"
        gate_ist VECTOR_UD, SPARE_IST
        tss_limit TSS_IST1 + 8 * (SPARE_IST - 1) - 1
        by_ud2  TS, SELECTOR_TSS | ERROR_EXT

fault   0, "ts-ist-irq", "an interrupt, an IST slot beyond the TSS"
        gate_ist OWN_VECTOR, SPARE_IST
        tss_limit TSS_IST1 + 8 * (SPARE_IST - 1) - 1
        by_ipi  TS, SELECTOR_TSS | ERROR_EXT

fault   3, "ts-user-ist", "an exception, an IST slot beyond the TSS", prepare .break
        by_ud2  TS, SELECTOR_TSS | ERROR_EXT

routine .break
        gate_ist VECTOR_UD, SPARE_IST
        tss_limit TSS_IST1 + 8 * (SPARE_IST - 1) - 1
        ret

; The DPL of a gate is checked for INT n, and not for the same vector raised by the CPU.
fault   3, "gp-user-int6", "#UD may come by UD2, but not by INT 6"
.here:  ud2
.int:   int     6
.next:  done
expect  UD, .here, then .int
expect  GP, .int, code VECTOR_UD << 3 | ERROR_IDT, then .next

%macro user_int 1
.here:  int     %1
.next:  done
expect  GP, .here, code %1 << 3 | ERROR_IDT, then .next
%endmacro

fault   3, "gp-user-int14", "INT 14 in ring 3, through a gate of DPL 0"
        user_int 14

fault   3, "gp-user-int255", "INT 255 in ring 3, through a gate of DPL 0"
        user_int 255
