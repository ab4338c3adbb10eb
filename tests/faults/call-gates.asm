; Far transfers to system descriptors of the GDT. A call gate has 16 bytes in 64-bit mode and leads
; to 64-bit code alone; there are no tasks to switch to. SDM vol. 3, 5.8.3.1 and 7.7; vol. 2, JMP.
%include "fault.inc"
%include "tables.inc"

; Fields of a call gate: SDM vol. 3, figure 5-8.
%assign GATE_UPPER              8       ; the upper half
%assign GATE_UPPER_TYPE         13      ; must be 0, so that nothing takes it for a descriptor

; call_gate SELECTOR, LABEL: SELECTOR_SPARE means a gate to that place. RAX = the address of the GDT.
%macro call_gate 2
        gdt
        lea     rdx, [rel %2]
        mov     [rax + SELECTOR_SPARE], dx
        mov     word [rax + SELECTOR_SPARE + 2], %1
        mov     word [rax + SELECTOR_SPARE + 4], DESCRIPTOR_CALL_GATE >> 32
        shr     rdx, 16
        mov     [rax + SELECTOR_SPARE + 6], dx
        shr     rdx, 16
        mov     [rax + SELECTOR_SPARE + GATE_UPPER], rdx
%endmacro

; far_jump SELECTOR: the offset of the pointer does not matter where a gate has one.
%macro far_jump 1
        mov     dword [rsp - 16], 0
        mov     word [rsp - 12], %1
.here:  jmp     far dword [rsp - 16]
%endmacro

%macro refused 1
        far_jump SELECTOR_SPARE
.next:  done
expect  GP, .here, code %1, then .next
%endmacro

fault   0, "call-gate", "a far jump through a call gate"
        call_gate SELECTOR_KERNEL_CODE, .target
        far_jump SELECTOR_SPARE
        done    1
.target:
        endbr64
        done

fault   0, "gp-call-gate-null", "a call gate with a null selector"
        call_gate 0, .next
        refused 0

fault   0, "gp-call-gate-data", "a call gate to a data segment"
        call_gate SELECTOR_KERNEL_DATA, .next
        refused SELECTOR_KERNEL_DATA

fault   0, "gp-call-gate-32-bit", "a call gate to 32-bit code"
        call_gate SELECTOR_USER_CODE32 - 3, .next
        and     byte [rax + SELECTOR_USER_CODE32 - 3 + 5], ~(DESCRIPTOR_DPL3 >> 40)
        refused SELECTOR_USER_CODE32 - 3

fault   0, "gp-call-gate-upper", "a call gate whose upper half has a type"
        call_gate SELECTOR_KERNEL_CODE, .next
        mov     byte [rax + SELECTOR_SPARE + GATE_UPPER_TYPE], DESCRIPTOR_CALL_GATE >> 40 & 0x1F
        refused SELECTOR_SPARE

fault   0, "gp-call-gate-cut", "a call gate, half of it beyond the GDT"
        call_gate SELECTOR_KERNEL_CODE, .next
        gdt_limit SELECTOR_SPARE + GATE_UPPER - 1
        refused SELECTOR_SPARE

fault   3, "gp-user-call-gate", "a far jump of ring 3 to a gate of ring 0", prepare .make
        far_jump SELECTOR_SPARE + 3
.next:  done
expect  GP, .here, code SELECTOR_SPARE, then .next

routine .make
        call_gate SELECTOR_KERNEL_CODE, .inside
        ret
.inside:
        ud2

fault   0, "gp-jmp-tss", "a far jump to a TSS"
        far_jump SELECTOR_TSS
.next:  done
expect  GP, .here, code SELECTOR_TSS, then .next
