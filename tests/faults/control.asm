; Control registers: what MOV refuses to write to them. SDM vol. 2, MOV to control registers.
%include "fault.inc"

; refused REGISTER: MOV of RAX.
%macro refused 1
.here:  mov     %1, rax
.next:  done
expect  GP, .here, code 0, then .next
%endmacro

fault   0, "gp-cr0-pg", "MOV to CR0 of PG without PE"
        mov     rax, cr0
        and     rax, ~CR0_PE
        refused cr0

fault   0, "gp-cr0-paging-off", "MOV to CR0 that ends paging in 64-bit mode"
        mov     rax, cr0
        mov     ecx, CR0_PG
        not     rcx
        and     rax, rcx
        refused cr0

fault   0, "gp-cr0-nw", "MOV to CR0 of NW without CD"
        mov     rax, cr0
        and     rax, ~CR0_CD
        or      rax, CR0_NW
        refused cr0

fault   0, "gp-cr0-high", "MOV to CR0 with bits above 31"
        mov     rax, cr0
        bts     rax, 32
        refused cr0

fault   0, "gp-cr3-high", "MOV to CR3 with bits above the address"
        mov     rax, cr3
        bts     rax, 55
        refused cr3

fault   0, "gp-cr4-reserved", "MOV to CR4 with a reserved bit"
        mov     rax, cr4
        bts     rax, 31
        refused cr4

fault   0, "gp-cr4-pae", "MOV to CR4 that clears PAE in 64-bit mode"
        mov     rax, cr4
        and     rax, ~CR4_PAE
        refused cr4

fault   0, "gp-efer-lme", "WRMSR that ends long mode under paging"
        mov     ecx, IA32_EFER
        rdmsr
        and     eax, ~IA32_EFER_LME
.here:  wrmsr
.next:  done
expect  GP, .here, code 0, then .next
