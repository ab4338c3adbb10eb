; IRETQ that is refused: the fault is its own, in the ring that executed it, and the stack is as it
; was, so that a handler may put the frame right and try again. SDM vol. 2 and APM vol. 3, IRET.
%include "fault.inc"
%include "tables.inc"

; frame CS, SS, RFLAGS: what IRETQ shall take, with RIP = .next and RSP as it is now.
%macro frame 3
        mov     rbx, rsp
        push    %2
        push    rbx
        push    %3
        push    %1
        lea     rax, [rel .next]
        push    rax
%endmacro

; refused VECTOR, CODE, CS, SS
%macro refused 4
        frame   %3, %4, RFLAGS_FIXED
.here:  iretq
.next:  mov     rsp, rbx
        done
expect  %1, .here, code %2, then .next
%endmacro

fault   0, "iret-cs-null", "IRETQ to a null CS"
        refused GP, 0, 0, SELECTOR_KERNEL_DATA

fault   0, "iret-cs-data", "IRETQ to a data segment"
        refused GP, SELECTOR_KERNEL_DATA, SELECTOR_KERNEL_DATA, SELECTOR_KERNEL_DATA

fault   0, "iret-cs-beyond", "IRETQ to a CS beyond the GDT"
        refused GP, SELECTOR_BEYOND, SELECTOR_BEYOND, SELECTOR_KERNEL_DATA

fault   0, "iret-cs-dpl", "IRETQ to ring 3's code segment with RPL 0"
        refused GP, SELECTOR_USER_CODE - 3, SELECTOR_USER_CODE - 3, SELECTOR_KERNEL_DATA

fault   0, "iret-cs-not-present", "IRETQ to a not-present code segment"
        spare_descriptor DESCRIPTOR_CODE & ~DESCRIPTOR_P
        refused NP, SELECTOR_SPARE, SELECTOR_SPARE, SELECTOR_KERNEL_DATA

fault   0, "iret-ss-null", "IRETQ to ring 3 with a null SS"
        refused GP, 0, SELECTOR_USER_CODE, 0

fault   0, "iret-ss-kernel", "IRETQ to ring 3 with the kernel's SS"
        refused GP, SELECTOR_KERNEL_DATA, SELECTOR_USER_CODE, SELECTOR_KERNEL_DATA

fault   0, "iret-ss-code", "IRETQ to ring 3 with a code segment in SS"
        refused GP, SELECTOR_USER_CODE - 3, SELECTOR_USER_CODE, SELECTOR_USER_CODE

fault   0, "iret-ss-not-present", "IRETQ to ring 3 with a not-present SS"
        spare_descriptor (DESCRIPTOR_DATA | DESCRIPTOR_DPL3) & ~DESCRIPTOR_P
        refused SS, SELECTOR_SPARE, SELECTOR_USER_CODE, SELECTOR_SPARE + 3

fault   0, "iret-nt", "IRETQ with RFLAGS.NT"
        frame   SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA, RFLAGS_FIXED
        pushfq
        or      qword [rsp], RFLAGS_NT
        popfq
.here:  iretq
.next:  pushfq
        and     qword [rsp], ~RFLAGS_NT
        popfq
        mov     rsp, rbx
        done
expect  GP, .here, code 0, rflags_set RFLAGS_NT, then .next

%macro noncanonical 2
        mov     rbx, rsp
        push    %2
        push    rbx
        push    RFLAGS_FIXED
        push    %1
        mov     rax, 0x0000800000000000
        push    rax
.here:  iretq
.next:  mov     rsp, rbx
        done
expect  GP, .here, code 0, then .next
%endmacro

fault   0, "iret-noncanonical", "IRETQ to a non-canonical address"
        noncanonical SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA

fault   3, "iret-user-noncanonical", "IRETQ to a non-canonical address in ring 3"
        noncanonical SELECTOR_USER_CODE, SELECTOR_USER_DATA

fault   3, "iret-user-cs-null", "IRETQ to a null CS in ring 3"
        refused GP, 0, 0, SELECTOR_USER_DATA

fault   3, "iret-user-cs-kernel", "IRETQ from ring 3 to ring 0"
        refused GP, SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_CODE, SELECTOR_KERNEL_DATA

; A handler that spoils its own frame: the IRETQ of the entry path faults. Its frame lies where RSP
; was, and once it is mended the same IRETQ completes.
fault   0, "iret-bad-frame", "a handler's null CS: the entry path's IRETQ"
        int3
.next:  done
expect  BP, .next, repair .spoil
expect  GP, anywhere, code 0, saved_cs SELECTOR_KERNEL_CODE, repair .mend

routine .spoil
        mov     qword [rdi + REGS_CS], 0
        ret

routine .mend
        mov     rax, [rdi + REGS_RSP]
        mov     qword [rax + 8], SELECTOR_KERNEL_CODE
        ret
