; An interrupt that is there when the CPU is asked to take it, and gone when the CPU asks which it
; is. The controller then gives its spurious vector, sets nothing in service, and wants no EOI: it
; would end another interrupt.
%include "fault.inc"
%include "tables.inc"
%include "pic.inc"

; The task priority is raised while the interrupt waits, and lowered again. SDM vol. 3, 10.9.
fault   0, "spurious-lapic", "an interrupt that TPR withdraws", every_vector
        ipi     OWN_VECTOR
        mov     edi, LAPIC_TPR
        mov     esi, 0xFF
        kernel_call lapic_write
        sti
        nop
.here:  cli
        mov     edi, LAPIC_TPR
        xor     esi, esi
        kernel_call lapic_write
        sti
        nop
.next:  cli
        done
expect  SPURIOUS, .here
expect  OWN_VECTOR, .next

; The 8259's way: its request, here the timer's, is masked before the CPU asks for the vector. It
; answers with input 7, whose in-service bit stays clear. 8259A datasheet, "Default IR7".
%assign MASTER_TIMER            0

; Channel 0 of the 8254 asks once: its output rises and stays. With any later edge an emulator takes
; the CPU's question back. Intel 8254 datasheet, "Mode 0: Interrupt on Terminal Count".
%assign PIT_CHANNEL_0           0x40
%assign PIT_COMMAND             0x43
%assign PIT_MODE_0              0x30            ; of channel 0, the count in two bytes

fault   0, "spurious-pic", "a request withdrawn from the 8259", every_vector
        mov     al, PIT_MODE_0
        out     PIT_COMMAND, al
        mov     al, 16                          ; times 256 / 1.19 MHz: 3 ms
        out     PIT_CHANNEL_0, al
        out     PIT_CHANNEL_0, al
        await_request MASTER_TIMER              ; it waits behind its mask
        lint0   LVT_DELIVERY_EXTINT
        pic_unmask PIC_MASTER, MASTER_TIMER     ; so that the CPU is asked here, and not at any time
        lint0   LVT_MASKED
        pic_mask PIC_MASTER
        lint0   LVT_DELIVERY_EXTINT
        sti
        nop
.here:  cli
        done
expect  PIC7, .here

; The handlers, and what is in service meanwhile. INT n would reach them, but is no interrupt that
; comes from a controller: the frame is pushed by hand.
extern isr_47_PIC15
extern isr_64_TIMER
extern isr_65_KEYBOARD
extern isr_68_COM1
extern isr_255_SPURIOUS

; as_if_delivered STUB: push what the CPU would push, and go there. Clobbers RAX.
%macro as_if_delivered 1
        mov     rax, rsp
        and     rsp, -16                ; as the CPU does
        push    SELECTOR_KERNEL_DATA
        push    rax
        pushfq
        push    SELECTOR_KERNEL_CODE
        lea     rax, [rel %%back]
        push    rax
        jmp     %1
%%back:
%endmacro

; A handler of the local APIC's must not end OWN_VECTOR, which is in service, and not its own.
; no_eoi STUB
%macro no_eoi 1
        gate    OWN_VECTOR
        mov     rdx, .isr
        mov     [rax], dx
        shr     rdx, 16
        mov     [rax + GATE_OFFSET_MIDDLE], dx
        shr     rdx, 16
        mov     [rax + GATE_OFFSET_HIGH], edx
        ipi     OWN_VECTOR
        xor     ebx, ebx
        sti
        nop
        cli
        cmp     ebx, 1                  ; .isr has run, and was in service to its end
        jne     .wrong
        done
.wrong: done    1

routine .isr
        as_if_delivered %1
        mov     edi, OWN_VECTOR
        kernel_call apic_in_service
        movzx   ebx, al
        kernel_call apic_eoi
        iretq
%endmacro

fault   0, "spurious-eoi", "no EOI for a spurious interrupt in another"
        no_eoi  isr_255_SPURIOUS

; A device's handler comes to run without its interrupt by INT n.
fault   0, "spurious-timer", "no EOI for a timer that is not in service"
        no_eoi  isr_64_TIMER

fault   0, "spurious-keyboard", "no EOI for a keyboard that is not in service"
        no_eoi  isr_65_KEYBOARD

fault   0, "spurious-serial", "no EOI for a COM1 that is not in service"
        no_eoi  isr_68_COM1

; The slave's spurious interrupt: the master cannot know, and has put its input 2 in service. So an
; EOI is due there, and none to the slave, whose IRQ 8 (the real-time clock's) is in service here.
%assign IRQ8_VECTOR             VECTOR_PIC7 + 1
%assign SLAVE_RTC               0

; The clock's registers: MC146818 datasheet.
%assign RTC_INDEX               0x70
%assign RTC_DATA                0x71
%assign RTC_A                   0x0A
%assign RTC_A_1024_HZ           0x26
%assign RTC_B                   0x0B
%assign RTC_B_PERIODIC          1 << 6
%assign RTC_C                   0x0C            ; reading it ends the request

; rtc REGISTER: AL = its content.
%macro rtc 1
        mov     al, %1
        out     RTC_INDEX, al
        in      al, RTC_DATA
%endmacro

fault   0, "spurious-pic-eoi", "spurious IRQ 15: an EOI to the master alone"
        rtc     RTC_A
        mov     al, RTC_A_1024_HZ
        out     RTC_DATA, al
        rtc     RTC_B
        or      al, RTC_B_PERIODIC
        out     RTC_DATA, al
        rtc     RTC_C
        lint0   LVT_DELIVERY_EXTINT
        pic_unmask PIC_SLAVE, SLAVE_RTC
        pic_unmask PIC_MASTER, PIC_CASCADE
        await_request PIC_CASCADE
        xor     ebx, ebx
        sti
        nop
.here:  cli
        rtc     RTC_B
        and     al, ~RTC_B_PERIODIC
        out     RTC_DATA, al
        cmp     ebx, 1
        jne     .wrong
        done
.wrong: done    1
expect  IRQ8_VECTOR, .here, repair .isr

; RBX of the entry = 1 if master and slave have in service what they should have.
routine .isr
        push    rdi
        rtc     RTC_C
        pic_mask PIC_MASTER
        pic_mask PIC_SLAVE
        as_if_delivered isr_47_PIC15
        pic_read PIC_MASTER, OCW3_READ_ISR
        movzx   ecx, al
        pic_read PIC_SLAVE, OCW3_READ_ISR
        xor     al, 1 << SLAVE_RTC
        or      cl, al
        pic_eoi PIC_SLAVE, SLAVE_RTC
        pop     rdi
        cmp     cl, 1                   ; CF if it is 0
        adc     qword [rdi + REGS_RBX], 0
        ret
