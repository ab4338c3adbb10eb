; What ring 3 may not do: #GP(0) at the instruction itself. SDM vol. 3, 5.9, and each one's page in
; SDM vol. 2 and APM vol. 3.
%include "fault.inc"

%macro privileged 1+
.here:  %1
.next:  done
expect  GP, .here, code 0, then .next
%endmacro

fault   3, "gp-user-sti", "STI in ring 3"
        privileged sti

fault   3, "gp-user-hlt", "HLT in ring 3"
        privileged hlt

fault   3, "gp-user-in", "IN in ring 3"
        privileged in al, 0x60

fault   3, "gp-user-out", "OUT in ring 3"
        privileged out 0x80, al

fault   3, "gp-user-rdmsr", "RDMSR in ring 3"
        mov     ecx, IA32_EFER
        privileged rdmsr

fault   3, "gp-user-wrmsr", "WRMSR in ring 3"
        mov     ecx, IA32_EFER
        privileged wrmsr

fault   3, "gp-user-swapgs", "SWAPGS in ring 3"
        privileged swapgs

fault   3, "gp-user-mov-from-cr0", "MOV from CR0 in ring 3"
        privileged mov rax, cr0

fault   3, "gp-user-mov-to-cr3", "MOV to CR3 in ring 3"
        privileged mov cr3, rax

fault   3, "gp-user-mov-from-dr7", "MOV from DR7 in ring 3"
        privileged mov rax, dr7

fault   3, "gp-user-mov-to-dr0", "MOV to DR0 in ring 3"
        privileged mov dr0, rax

fault   3, "gp-user-clts", "CLTS in ring 3"
        privileged clts

fault   3, "gp-user-lmsw", "LMSW in ring 3"
        privileged lmsw ax

fault   3, "gp-user-lgdt", "LGDT in ring 3"
        privileged lgdt [rsp - 16]

fault   3, "gp-user-lidt", "LIDT in ring 3"
        privileged lidt [rsp - 16]

fault   3, "gp-user-lldt", "LLDT in ring 3"
        xor     eax, eax
        privileged lldt ax

; A null selector is #GP(0), too, whichever the CPU looks at first.
fault   3, "gp-user-ltr", "LTR in ring 3"
        xor     eax, eax
        privileged ltr ax

fault   3, "gp-user-invlpg", "INVLPG in ring 3"
        privileged invlpg [rsp]

fault   3, "gp-user-wbinvd", "WBINVD in ring 3"
        privileged wbinvd

fault   3, "gp-user-xsetbv", "XSETBV in ring 3", needs XSAVE
        xor     ecx, ecx
        privileged xsetbv

fault   3, "gp-user-sgdt", "SGDT in ring 3 with CR4.UMIP", needs UMIP
        privileged sgdt [rsp - 16]

fault   3, "gp-user-sidt", "SIDT in ring 3 with CR4.UMIP", needs UMIP
        privileged sidt [rsp - 16]

fault   3, "gp-user-sldt", "SLDT in ring 3 with CR4.UMIP", needs UMIP
        privileged sldt ax

fault   3, "gp-user-str", "STR in ring 3 with CR4.UMIP", needs UMIP
        privileged str ax

fault   3, "gp-user-smsw", "SMSW in ring 3 with CR4.UMIP", needs UMIP
        privileged smsw ax

fault   3, "gp-user-rdtsc", "RDTSC in ring 3 with CR4.TSD", prepare .forbid
        privileged rdtsc

routine .forbid
        mov     rax, cr4
        or      rax, CR4_TSD
        mov     cr4, rax
        ret

; IOPL 3 gives ring 3 the interrupt flag and the ports.
fault   3, "io-privilege-user", "CLI, STI, IN and OUT in ring 3 with IOPL 3", io_privilege
        cli
        in      al, 0x80
        out     0x80, al
        sti
        int3
.next:  done
expect  BP, .next, rflags_set RFLAGS_IF | RFLAGS_IOPL
