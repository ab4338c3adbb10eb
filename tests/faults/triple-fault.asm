; Exceptions that cannot be delivered, nor the ones that this makes, up to a double fault: the CPU
; shuts down, which resets a PC. SDM vol. 3, 6.15, "Interrupt 8".
%include "fault.inc"
%include "tables.inc"

fault   0, "triple-fault", "UD2 with an empty IDT: the CPU shuts down", fatal
        idt_limit 0
        ud2
        done
shutdown UD, GP, DF

; The #NP is never delivered: while a #GP is, it makes a double fault.
fault   0, "df-bad-stack", "a double fault without a stack to take", fatal
        tss_field TSS_IST1, PAGE_NOT_PRESENT + 0x800
        gate_attributes VECTOR_GP, GATE_INTERRUPT
        mov     rax, 0x0000900000000000
        mov     cl, [rax]
        done
shutdown GP, DF

; Neither the stack of ring 0 is to be had, for #TS as little as for #UD, nor that of the #DF.
fault   3, "ts-user-rsp0", "a TSS that ends before RSP0", prepare .cut, fatal
        ud2
        done
shutdown UD, TS, DF

routine .cut
        tss_limit TSS_RSP0 - 1
        ret
