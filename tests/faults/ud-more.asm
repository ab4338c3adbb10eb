; Instructions that do not exist, not here, or not now.
%include "fault.inc"

%macro undefined 1+
.here:  %1
.next:  done
expect  UD, .here, then .next
%endmacro

fault   3, "ud-user-ud2", "UD2 in ring 3"
        undefined ud2

fault   0, "ud-ud1", "UD1, which takes an operand"
        undefined db 0x0F, 0xB9, 0xC0

fault   3, "ud-user-ud1", "UD1 in ring 3"
        undefined db 0x0F, 0xB9, 0xC0

fault   0, "ud-ud0", "UD0"
        undefined db 0x0F, 0xFF, 0xC0

fault   3, "ud-user-ud0", "UD0 in ring 3"
        undefined db 0x0F, 0xFF, 0xC0

fault   3, "ud-user-lock-nop", "LOCK NOP in ring 3"
        undefined db 0xF0, 0x90

fault   0, "ud-lock-register", "LOCK ADD to a register"
        undefined db 0xF0, 0x01, 0xC0

fault   0, "ud-push-es", "PUSH ES, which 64-bit mode has not"
        undefined db 0x06

fault   0, "ud-mov-cs", "MOV CS"
        undefined db 0x8E, 0xC8

fault   0, "ud-mov-cr1", "MOV from CR1, which does not exist"
        undefined db 0x0F, 0x20, 0xC8

fault   0, "ud-rsm", "RSM outside of system management mode"
        undefined rsm

fault   0, "ud-dr4", "MOV from DR4 with CR4.DE"
        undefined db 0x0F, 0x21, 0xE0

%macro with_cr0 2+
        mov     rax, cr0
        or      rax, %1
        mov     cr0, rax
        undefined %2
%endmacro

%macro without_cr4 2+
        mov     rax, cr4
        and     rax, ~(%1)
        mov     cr4, rax
        undefined %2
%endmacro

fault   0, "ud-sse-em", "an SSE instruction with CR0.EM"
        with_cr0 CR0_EM, xorps xmm0, xmm0

fault   0, "ud-sse-osfxsr", "an SSE instruction without CR4.OSFXSR"
        without_cr4 CR4_OSFXSR, xorps xmm0, xmm0

fault   0, "ud-xgetbv", "XGETBV without CR4.OSXSAVE", needs XSAVE
        xor     ecx, ecx
        without_cr4 CR4_OSXSAVE, xgetbv

fault   0, "ud-avx-xcr0", "an AVX instruction that XCR0 does not allow", needs AVX
        xor     ecx, ecx
        xor     edx, edx
        mov     eax, XCR0_X87 | XCR0_SSE
        xsetbv
        undefined vxorps ymm0, ymm0, ymm0

; The two exist with both prefixes alone, VEX and 66: SDM vol. 2, PINSRW and VPERMILPS.
fault   3, "ud-user-vpinsrw", "VPINSRW without its 66 prefix", needs AVX
        undefined db 0xC5, 0xF8, 0xC4, 0xC0, 0x00

fault   3, "ud-user-vpermilps", "VPERMILPS without its VEX prefix"
        undefined db 0x0F, 0x38, 0x0C, 0xC0

fault   3, "ud-user-syscall", "SYSCALL without EFER.SCE"
        undefined syscall
