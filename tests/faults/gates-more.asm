; What else can be wrong with a gate: its type, its segment, its offset, and that it cannot be read.
; SDM vol. 3, 6.14.1 and table 3-2; vol. 2, INT n.
%include "fault.inc"
%include "tables.inc"

%macro by_int 2
.here:  int     OWN_VECTOR
.next:  done
expect  %1, .here, code %2, then .next
%endmacro

%assign OWN_GATE OWN_VECTOR << 3 | ERROR_IDT

; Only two types are gates of the IDT in 64-bit mode. The 16-bit and 32-bit ones are gone, and what
; is a call gate in the GDT is none here. The bit above the type must be 0.
%macro gate_type 1
        gate_attributes OWN_VECTOR, GATE_PRESENT | %1
        by_int  GP, OWN_GATE
%endmacro

fault   0, "gp-gate-type-0", "INT n through a gate of type 0"
        gate_type 0x00

fault   0, "gp-gate-type-task", "INT n through a task gate"
        gate_type 0x05

fault   0, "gp-gate-type-interrupt16", "INT n through a 16-bit interrupt gate"
        gate_type 0x06

fault   0, "gp-gate-type-trap16", "INT n through a 16-bit trap gate"
        gate_type 0x07

fault   0, "gp-gate-type-call", "INT n through a call gate"
        gate_type 0x0C

fault   0, "gp-gate-s", "INT n through a gate whose S bit is 1"
        gate_type 0x10 | GATE_INTERRUPT

; Only a 64-bit code segment can be a handler's: L=1, D=0.
fault   0, "gp-gate-32-bit", "INT n through a gate to 32-bit code"
        spare_descriptor DESCRIPTOR_CODE & ~DESCRIPTOR_L | DESCRIPTOR_D
        gate_selector OWN_VECTOR, SELECTOR_SPARE
        by_int  GP, SELECTOR_SPARE

fault   0, "gp-gate-l-d", "INT n, a gate to code with L=1 and D=1"
        spare_descriptor DESCRIPTOR_CODE | DESCRIPTOR_D
        gate_selector OWN_VECTOR, SELECTOR_SPARE
        by_int  GP, SELECTOR_SPARE

fault   0, "gp-gate-ldt", "INT n, a gate to an LDT that is not there"
        gate_selector OWN_VECTOR, 8 | ERROR_TI
        by_int  GP, 8 | ERROR_TI

fault   0, "gp-gate-beyond", "INT n through a gate to beyond the GDT"
        gate_selector OWN_VECTOR, SELECTOR_BEYOND
        by_int  GP, SELECTOR_BEYOND

; The CPU looks at the offset before it goes there: the fault is that of INT n.
fault   0, "gp-gate-offset", "INT n, a gate with a non-canonical offset"
        gate    OWN_VECTOR
        mov     word [rax + GATE_OFFSET_LOW], 0
        mov     word [rax + GATE_OFFSET_MIDDLE], 0
        mov     dword [rax + GATE_OFFSET_HIGH], 0x00009000
        mov     rbx, rsp
.here:  int     OWN_VECTOR
.next:  mov     rsp, rbx                ; for a CPU that goes there first
        done
expect  GP, .here, code 0, then .next

; The exceptions' gates lie at the end of a page, all others on the next one, which is not present.
; The CPU reads gates as ring 0 does, whoever asks.
%assign MOVED_IDT PAGE_SUPERVISOR + 4096 - 32 * 16
%assign MOVED_GATE MOVED_IDT + OWN_VECTOR * 16

%macro move_idt 0
        gate    0
        mov     rsi, rax
        mov     edi, MOVED_IDT
        mov     ecx, 32 * 16
        rep movsb
        idt_base MOVED_IDT
%endmacro

fault   0, "pf-gate", "INT n, the gate on a not-present page"
        move_idt
.here:  int     OWN_VECTOR
.next:  done
expect  PF, .here, code 0, cr2 MOVED_GATE, then .next

fault   3, "pf-user-gate", "INT n in ring 3, the gate on a missing page", prepare .move
.here:  int     OWN_VECTOR
expect  PF, .here, code 0, cr2 MOVED_GATE, abandon

routine .move
        move_idt
        ret
