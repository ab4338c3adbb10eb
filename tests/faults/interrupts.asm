; When an interrupt comes: it stays pending while IF is clear, and for one instruction after STI.
%include "fault.inc"
%include "tables.inc"

fault   0, "irq-sti", "STI; NOP: the interrupt comes after the NOP"
        ipi     OWN_VECTOR
        sti
        nop
.here:  nop
        cli
        done
expect  OWN_VECTOR, .here, rflags_set RFLAGS_IF

fault   0, "irq-sti-pause", "STI; PAUSE: the interrupt comes after PAUSE"
        ipi     OWN_VECTOR
        sti
        pause
.here:  nop
        cli
        done
expect  OWN_VECTOR, .here, rflags_set RFLAGS_IF

; It comes between two instructions: no RF for it, unlike a fault. SDM vol. 3, 17.3.1.1.
fault   0, "rf-irq", "an interrupt saves RFLAGS.RF as 0"
        ipi     OWN_VECTOR
        sti
        nop
.here:  nop
        cli
        done
expect  OWN_VECTOR, .here, rflags_clear RFLAGS_RF

fault   0, "irq-sti-cli", "STI; CLI: no interrupt comes"
        ipi     OWN_VECTOR
        sti
        cli
        nop
        sti
        nop
.here:  cli
        done
expect  OWN_VECTOR, .here

fault   0, "irq-sti-int", "STI; INT n: the interrupt comes behind it"
        ipi     OWN_VECTOR
        sti
        int     OWN_VECTOR + 16
.here:  nop
        cli
        done
expect  OWN_VECTOR + 16, .here
expect  OWN_VECTOR, .here

fault   0, "irq-popf", "POPF sets IF: a pending interrupt comes"
        ipi     OWN_VECTOR
        pushfq
        or      qword [rsp], RFLAGS_IF
        popfq
.here:  nop
        cli
        done
expect  OWN_VECTOR, .here

fault   0, "irq-iret", "IRETQ sets IF: an interrupt at the target"
        ipi     OWN_VECTOR
        mov     rbx, rsp
        push    SELECTOR_KERNEL_DATA
        push    rbx
        push    RFLAGS_FIXED | RFLAGS_IF
        push    SELECTOR_KERNEL_CODE
        lea     rax, [rel .here]
        push    rax
        iretq
.here:  nop
        cli
        done
expect  OWN_VECTOR, .here

fault   0, "irq-hlt", "an interrupt that ends HLT: RIP is behind it"
        ipi     OWN_VECTOR
        sti
        hlt
.here:  cli
        done
expect  OWN_VECTOR, .here

fault   3, "irq-user", "an interrupt that waits for ring 3 to begin", prepare .send, interrupts
.here:  nop
        done
expect  OWN_VECTOR, .here, saved_cs SELECTOR_USER_CODE, stack KERNEL_STACK

routine .send
        ipi     OWN_VECTOR
        ret

fault   0, "irq-tpr", "the task priority holds an interrupt back"
        mov     edi, LAPIC_TPR
        mov     esi, OWN_VECTOR
        kernel_call lapic_write
        ipi     OWN_VECTOR
        sti
        nop
        nop
        cli
        mov     edi, LAPIC_TPR
        xor     esi, esi
        kernel_call lapic_write
        sti
        nop
.here:  cli
        done
expect  OWN_VECTOR, .here

; The higher the vector, the sooner. The second one comes when the first handler has returned.
fault   0, "irq-priority", "of two interrupts the higher vector is first"
        ipi     OWN_VECTOR
        ipi     OWN_VECTOR + 16
        sti
        nop
.here:  nop
        cli
        done
expect  OWN_VECTOR + 16, .here
expect  OWN_VECTOR, .here

; Keep in RBX how many interrupts of a vector have come, and let in whatever comes until one more of
; it has: others end HLT as well.
%macro count_before 1
        mov     edi, VECTOR_%1
        kernel_call trap_count
        mov     rbx, rax
%endmacro

%macro wait_for_interrupt 1
%%wait: sti
        hlt
        cli
        mov     edi, VECTOR_%1
        kernel_call trap_count
        cmp     rax, rbx
        je      %%wait
%endmacro

fault   0, "irq-timer", "the local APIC's timer"
        count_before TIMER
        wait_for_interrupt TIMER
        done
interrupted TIMER

; The timer waits while IF is clear: not before the first trap, and before the second one.
fault   0, "irq-timer-between", "the timer's interrupt between two traps"
        int3
.first: count_before TIMER
        wait_for_interrupt TIMER
        int3
.second:
        done
expect  BP, .first
interrupted TIMER
expect  BP, .second

; The 8042 returns a byte that it is given as if it had come from the keyboard: here the release of
; the left shift key, which nobody minds.
%assign I8042_STATUS 0x64
%assign I8042_INPUT_FULL 2
%assign I8042_WRITE_OUTPUT 0xD2
%assign I8042_DATA 0x60
%assign SHIFT_RELEASED 0xAA

%macro wait_8042 0
%%full:
        in      al, I8042_STATUS
        test    al, I8042_INPUT_FULL
        jnz     %%full
%endmacro

fault   0, "irq-keyboard", "a byte from the keyboard, by the I/O APIC"
        count_before KEYBOARD
        wait_8042
        mov     al, I8042_WRITE_OUTPUT
        out     I8042_STATUS, al
        wait_8042
        mov     al, SHIFT_RELEASED
        out     I8042_DATA, al
        wait_for_interrupt KEYBOARD
        done
interrupted KEYBOARD

; The transmitter of COM1 has nothing to send, which is an interrupt as soon as it may be one.
%assign COM1_IER 0x3F9
%assign IER_RECEIVED 1
%assign IER_TRANSMITTER_EMPTY 2

fault   0, "irq-serial", "COM1's transmitter is empty, by the I/O APIC"
        count_before COM1
        mov     edx, COM1_IER
        mov     al, IER_RECEIVED | IER_TRANSMITTER_EMPTY
        out     dx, al
        wait_for_interrupt COM1
        mov     edx, COM1_IER
        mov     al, IER_RECEIVED
        out     dx, al
        done
interrupted COM1
