; INT3 in ring 3: its gate has DPL 3, and the CPU switches to the stack of TSS.RSP0.
%include "fault.inc"

fault   3, "bp-user", "INT3 in ring 3, with a switch of stacks"
        int3
.next:  done
expect  BP, .next

; The CPU still reaches its own tables and the kernel's stack: keys are for ring 3's pages.
fault   3, "bp-user-no-keys", "INT3 with all protection keys denied", needs PKU
        mov     eax, -1
        xor     ecx, ecx
        xor     edx, edx
        wrpkru
        int3
.next:  done
expect  BP, .next
