; #GP(0) for what an operand holds: alignment, reserved bits, the length of the instruction.
%include "fault.inc"

%macro refused 1+
.here:  %1
.next:  done
expect  GP, .here, code 0, then .next
%endmacro

fault   0, "gp-movaps", "MOVAPS from an unaligned address"
        mov     rax, PAGE_SUPERVISOR + 8
        refused movaps xmm0, [rax]

fault   3, "gp-user-movaps", "MOVAPS from an unaligned address in ring 3"
        mov     eax, PAGE_USER + 8
        refused movaps xmm0, [rax]

fault   3, "gp-user-cmpxchg16b", "CMPXCHG16B at an unaligned address in ring 3", needs CX16
        mov     edi, PAGE_USER + 8
        refused cmpxchg16b [rdi]

fault   3, "gp-user-mxcsr", "LDMXCSR with a reserved bit"
        mov     eax, PAGE_USER
        mov     dword [rax], 0xFFFF0000
        refused ldmxcsr [rax]

fault   3, "gp-user-length", "an instruction of 16 bytes: 15 is the limit"
.here:  times 15 db 0x2E                ; segment prefixes that 64-bit mode ignores
        nop
.next:  done
expect  GP, .here, code 0, then .next

; Model-specific registers: reserved bits, an address that must be canonical, and no such register.
%assign EFER_RESERVED 1 << 2
%assign NONCANONICAL_HIGH 0x00008000
%assign MSR_UNKNOWN 0x0000FFFF

fault   0, "gp-wrmsr-reserved", "WRMSR to IA32_EFER with a reserved bit"
        mov     ecx, IA32_EFER
        rdmsr
        or      eax, EFER_RESERVED
        refused wrmsr

fault   0, "gp-wrmsr-noncanonical", "WRMSR of a non-canonical IA32_FS_BASE"
        mov     ecx, IA32_FS_BASE
        xor     eax, eax
        mov     edx, NONCANONICAL_HIGH
        refused wrmsr

fault   0, "gp-wrmsr-unknown", "WRMSR to a register that does not exist"
        mov     ecx, MSR_UNKNOWN
        xor     eax, eax
        xor     edx, edx
        refused wrmsr

fault   0, "gp-rdmsr-unknown", "RDMSR of a register that does not exist"
        mov     ecx, MSR_UNKNOWN
        refused rdmsr

; Control and debug registers.
fault   0, "gp-xcr0-x87", "XSETBV without the bit for x87", needs XSAVE
        xor     ecx, ecx
        xor     edx, edx
        mov     eax, XCR0_SSE
        refused xsetbv

fault   0, "gp-xcr0-avx", "XSETBV with AVX, but without SSE", needs AVX
        xor     ecx, ecx
        xor     edx, edx
        mov     eax, XCR0_X87 | XCR0_AVX
        refused xsetbv

fault   0, "gp-cr8", "MOV to CR8 of more than four bits"
        mov     eax, 16
        refused mov cr8, rax

fault   0, "gp-dr7-high", "MOV to DR7 with bits above 31"
        mov     rax, 1 << 32 | DR7_INIT
        refused mov dr7, rax
