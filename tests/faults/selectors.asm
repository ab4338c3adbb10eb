; Loads of segment registers, LDTR and TR. The code is the selector without its RPL.
%include "fault.inc"
%include "tables.inc"

; load VECTOR, SELECTOR, CODE, INSTRUCTION with EAX
%macro load 4+
        mov     eax, %2
.here:  %4
.next:  done
expect  %1, .here, code %3, then .next
%endmacro

fault   0, "gp-ds-beyond", "MOV DS beyond the limit of the GDT"
        load    GP, SELECTOR_BEYOND, SELECTOR_BEYOND, mov ds, eax

fault   3, "gp-user-ds-beyond", "MOV DS beyond the GDT: no RPL in the code"
        load    GP, SELECTOR_BEYOND + 3, SELECTOR_BEYOND, mov ds, eax

fault   0, "gp-ds-ldt", "MOV DS out of an LDT that is not there"
        load    GP, 8 | ERROR_TI, 8 | ERROR_TI, mov ds, eax

fault   3, "gp-user-ds-ldt", "MOV DS out of an LDT not there, in ring 3"
        load    GP, 8 | ERROR_TI | 3, 8 | ERROR_TI, mov ds, eax

fault   0, "gp-ds-system", "MOV DS with the descriptor of the TSS"
        load    GP, SELECTOR_TSS, SELECTOR_TSS, mov ds, eax

fault   0, "gp-ds-execute-only", "MOV DS with an execute-only code segment"
        spare_descriptor DESCRIPTOR_CODE & ~DESCRIPTOR_READ
        load    GP, SELECTOR_SPARE, SELECTOR_SPARE, mov ds, eax

fault   3, "gp-user-ds-kernel", "MOV DS with the kernel's data segment"
        load    GP, SELECTOR_KERNEL_DATA, SELECTOR_KERNEL_DATA, mov ds, eax

fault   3, "gp-user-ss-kernel", "MOV SS with the kernel's data segment"
        load    GP, SELECTOR_KERNEL_DATA, SELECTOR_KERNEL_DATA, mov ss, eax

fault   3, "gp-user-ss-null", "MOV SS with a null selector in ring 3"
        load    GP, 0, 0, mov ss, eax

; Ring 0 of 64-bit mode may: after a ring change it is what the CPU itself loads.
fault   0, "ss-null", "MOV SS with a null selector is allowed"
        xor     eax, eax
        mov     ss, eax
        int3
.next:  done
expect  BP, .next, saved_ss 0

fault   0, "gp-ss-code", "MOV SS with a code segment"
        load    GP, SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_CODE, mov ss, eax

fault   0, "gp-ss-readonly", "MOV SS with a read-only data segment"
        spare_descriptor DESCRIPTOR_DATA & ~DESCRIPTOR_WRITE
        load    GP, SELECTOR_SPARE, SELECTOR_SPARE, mov ss, eax

fault   0, "gp-ss-dpl", "MOV SS with ring 3's data segment in ring 0"
        load    GP, SELECTOR_USER_DATA, SELECTOR_USER_DATA - 3, mov ss, eax

fault   3, "np-user-mov-ds", "MOV DS with a not-present segment of DPL 3", prepare .make
        load    NP, SELECTOR_SPARE + 3, SELECTOR_SPARE, mov ds, eax

routine .make
        spare_descriptor (DESCRIPTOR_DATA | DESCRIPTOR_DPL3) & ~DESCRIPTOR_P
        ret

fault   3, "ss-user-mov-ss", "MOV SS with a not-present segment of DPL 3", prepare .make
        load    SS, SELECTOR_SPARE + 3, SELECTOR_SPARE, mov ss, eax

routine .make
        spare_descriptor (DESCRIPTOR_DATA | DESCRIPTOR_DPL3) & ~DESCRIPTOR_P
        ret

fault   0, "np-lfs", "LFS with a not-present descriptor"
        sub     rsp, 16
        mov     qword [rsp], 0
        mov     word [rsp + 4], SELECTOR_NOT_PRESENT
.here:  lfs     eax, [rsp]
.next:  add     rsp, 16
        done
expect  NP, .here, code SELECTOR_NOT_PRESENT, then .next

fault   0, "np-lldt", "LLDT with a not-present LDT"
        spare_descriptor DESCRIPTOR_LDT & ~DESCRIPTOR_P
        load    NP, SELECTOR_SPARE, SELECTOR_SPARE, lldt ax

fault   0, "gp-lldt-data", "LLDT with a data segment"
        load    GP, SELECTOR_KERNEL_DATA, SELECTOR_KERNEL_DATA, lldt ax

fault   0, "np-ltr", "LTR with a not-present TSS"
        gdt
        and     byte [rax + SELECTOR_TSS + 5], 0x7F & ~2        ; neither present nor busy
        load    NP, SELECTOR_TSS, SELECTOR_TSS, ltr ax

fault   0, "gp-ltr-busy", "LTR with a TSS that is busy"
        load    GP, SELECTOR_TSS, SELECTOR_TSS, ltr ax

fault   0, "gp-ltr-null", "LTR with a null selector"
        load    GP, 0, 0, ltr ax

; Far transfers. The manuals leave open whether the CPU checks CS before it reads the outer stack's
; RSP and SS, which lie behind it: so they are there to be read.
%macro far_return 3
        push    0
        push    0
        push    %2
        lea     rax, [rel .next]
        push    rax
.here:  o64 retf
.next:  add     rsp, 32
        done
expect  %1, .here, code %3, then .next
%endmacro

fault   0, "np-lretq", "a far return to a not-present code segment"
        spare_descriptor DESCRIPTOR_CODE & ~DESCRIPTOR_P
        far_return NP, SELECTOR_SPARE, SELECTOR_SPARE

fault   0, "gp-lretq-null", "a far return to a null selector"
        far_return GP, 0, 0

fault   0, "gp-lretq-data", "a far return to a data segment"
        far_return GP, SELECTOR_KERNEL_DATA, SELECTOR_KERNEL_DATA

fault   3, "gp-user-lretq", "a far return from ring 3 to ring 0"
        far_return GP, SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_CODE

%macro far_jump 3
        sub     rsp, 16
        mov     dword [rsp], 0
        mov     word [rsp + 4], %2
.here:  jmp     far dword [rsp]
.next:  add     rsp, 16
        done
expect  %1, .here, code %3, then .next
%endmacro

fault   0, "np-jmp-far", "a far jump to a not-present code segment"
        spare_descriptor DESCRIPTOR_CODE & ~DESCRIPTOR_P
        far_jump NP, SELECTOR_SPARE, SELECTOR_SPARE

fault   0, "np-call-gate", "a far jump through a not-present call gate"
        spare_descriptor DESCRIPTOR_CALL_GATE & ~DESCRIPTOR_P | SELECTOR_KERNEL_CODE << 16
        far_jump NP, SELECTOR_SPARE, SELECTOR_SPARE

fault   3, "gp-user-jmp-far", "a far jump from ring 3 to ring 0"
        far_jump GP, SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_CODE
