; System-call entries that are right, chosen by one -D: LINUX (SWAPGS, a per-CPU slot, SYSRET or
; IRETQ), MINIMAL (one CPU, no GS), IRETQ (by it alone), TWO_STACKS (leaves by another), SYSENTER,
; and INT80. A second -D breaks them in one way.

        default rel

extern  do_syscall, do_trap, kill_task

KERNEL_CS       equ 0x08
USER_BASE       equ 0x1B                ; 32-bit code; then data, and 64-bit code
USER_SS         equ USER_BASE + 8
USER_CS         equ USER_BASE + 16

SCRATCH         equ 0                   ; in what GS points to
STACK           equ 8
SAVED_RSP       equ 16
LEAVING         equ 24

IF              equ 0x200
FLAGS           equ 0x47700             ; IF, DF, TF, AC, NT, and IOPL

%macro bug 1-*.nolist                   ; bug NAME, INSTRUCTION: only if it is broken this way
    %ifdef BUG_%1
        %{2:-1}
    %endif
%endmacro

%macro sound 1-*.nolist                 ; sound NAME, INSTRUCTION: only if it is not
    %ifndef BUG_%1
        %{2:-1}
    %endif
%endmacro

%macro save 0                           ; all that is not in the frame: RAX is the last
        push    r12
        bug     R12_LOST, xor r12, r12
        push    r15
        push    r14
        push    r13
        push    rbp
        push    rbx
        push    rdi
        push    rsi
        push    rdx
        push    rcx
        push    r8
        push    r9
        push    r10
        push    r11
%endmacro

%macro restore 0
        pop     r11
        pop     r10
        pop     r9
    %ifdef BUG_SWAPPED
        pop     rcx
        pop     r8
    %else
        pop     r8
        pop     rcx
    %endif
    %ifdef BUG_LEAK_BY_C
        add     rsp, 24
    %elifdef BUG_LEAK_OF_STACK
        pop     rdx
        pop     rsi
        pop     rdi
        mov     rdx, rsp
    %else
        pop     rdx
        pop     rsi
        pop     rdi
    %endif
        pop     rbx
        pop     rbp
        pop     r13
        pop     r14
        pop     r15
    %ifdef BUG_R12_LOST
        add     rsp, 8
    %else
        pop     r12
    %endif
%endmacro

%macro unless_low_half 1                ; unless_low_half LABEL: goes there if RCX is not in it
    %ifndef BUG_UNCHECKED
        push    rcx
        shr     rcx, 47
        pop     rcx
        jnz     %1
    %endif
%endmacro

        section .text
%macro set_msr 1                        ; set_msr NUMBER: to RAX
        mov     rdx, rax
        shr     rdx, 32
        mov     ecx, %1
        wrmsr
%endmacro

%ifndef BUG_NO_INIT
global syscall_init:function
syscall_init:
        mov     rax, USER_BASE << 48 | KERNEL_CS << 32
        bug     STAR_NO_RPL, mov rax, (USER_BASE & ~3) << 48 | KERNEL_CS << 32
        bug     STAR_KERNEL, mov rax, USER_BASE << 48 | (KERNEL_CS | 3) << 32
        set_msr 0xC0000081
%ifdef DESIGN_SYSENTER
        lea     rax, [sysenter_entry]
        set_msr 0x176
%elifndef DESIGN_INT80
        lea     rax, [syscall_entry]
        set_msr 0xC0000082
%endif
        mov     eax, FLAGS
        bug     SFMASK_NO_IF, mov eax, FLAGS & ~IF
        bug     SFMASK_NO_TF, mov eax, FLAGS & ~0x100
        bug     SFMASK_NO_DF, mov eax, FLAGS & ~0x400
        bug     SFMASK_NO_NT, mov eax, FLAGS & ~0x4000
        bug     SFMASK_NO_AC, mov eax, FLAGS & ~0x40000
        set_msr 0xC0000084
        ret
%endif

%ifdef DESIGN_LINUX
global syscall_entry:function
syscall_entry:
        bug     PUSH_FIRST, push rcx
        bug     PUSH_FIRST, pop rcx
        bug     READS_ARGUMENT, mov rax, [rdi]
        sound   NO_SWAPGS_IN, swapgs
        mov     [gs:SCRATCH], rsp
        sound   NO_SWITCH, mov rsp, [gs:STACK]
        sound   FRAME_SS, push USER_SS
        bug     FRAME_SS, push USER_SS & ~3
        push    qword [gs:SCRATCH]
        push    r11
        push    USER_CS
        push    rcx
    %ifdef BUG_CHECKED_EARLY
        unless_low_half .by_iretq
    %endif
        bug     MISALIGNED, push rax
        push    rax                     ; with the 5 of the frame and 14 registers: 20 slots
        save
        mov     rdi, rsp
        sti
        call    do_syscall
        sound   NO_CLI, cli
        restore
        bug     MISALIGNED, add rsp, 8
        add     rsp, 8                  ; the number: RAX is the result
        bug     RDI_LOST, xor edi, edi
        mov     rcx, [rsp]
    %ifndef BUG_CHECKED_EARLY
        unless_low_half .by_iretq
    %endif
        bug     RCX_LOST, add rcx, 2
        mov     r11, [rsp + 16]
        bug     R11_CLEARED, mov r11, 2
        bug     R11_IOPL, or r11, 0x3000
        sound   RSP_LOST, mov rsp, [rsp + 24]
        bug     POP_LATE, pop rbx
        sound   NO_SWAPGS_OUT, swapgs
        bug     GS_AFTER, mov rdx, [gs:SCRATCH]
        sound   SYSRET_32, o64 sysret
        bug     SYSRET_32, sysret
.by_iretq:
        sound   NO_SWAPGS_OUT, swapgs
        iretq

%elifdef DESIGN_MINIMAL
global syscall_entry:function
syscall_entry:
        bug     PUSH_FIRST, push rcx
        bug     PUSH_FIRST, pop rcx
        bug     READS_ARGUMENT, mov rax, [rdi]
        mov     [user_rsp], rsp
        lea     rsp, [kernel_stack.top]
        sound   PARKED, push qword [user_rsp]
        bug     PARKED, push rax
        push    rcx
        push    r11
        save
        bug     MISALIGNED, push rax
        sub     rsp, 8
        mov     rdi, rsp
        call    do_syscall
        add     rsp, 8
        bug     MISALIGNED, add rsp, 8
        restore
        pop     r11
        pop     rcx
        bug     R11_LOST, mov r11, rdi
        bug     R11_CLEARED, mov r11, 2
        unless_low_half .kill
        bug     RCX_LOST, add rcx, 2
        bug     RDI_LOST, xor edi, edi
        bug     NO_CLI, sti
    %ifdef BUG_PARKED
        mov     rsp, [user_rsp]
    %elifndef BUG_RSP_LOST
        pop     rsp
    %endif
        bug     POP_LATE, pop rbx
        sound   SYSRET_32, o64 sysret
        bug     SYSRET_32, sysret
.kill:  sub     rsp, 8
        call    kill_task
.halt:  hlt
        jmp     .halt

%elifdef DESIGN_IRETQ
global syscall_entry:function
syscall_entry:
        bug     PUSH_FIRST, push rcx
        bug     PUSH_FIRST, pop rcx
        bug     READS_ARGUMENT, mov rax, [rdi]
        sound   NO_SWAPGS_IN, swapgs
        mov     [gs:SAVED_RSP], rsp
        mov     rsp, [gs:STACK]
        sound   FRAME_SS, push USER_SS
        bug     FRAME_SS, push USER_SS & ~3
        sound   RSP_LOST, push qword [gs:SAVED_RSP]
        bug     RSP_LOST, push rsp
        sound   R11_CLEARED, push r11
        bug     R11_CLEARED, push 2
        sound   FRAME_CS, push USER_CS
        bug     FRAME_CS, push KERNEL_CS
        sound   RCX_LOST, push rcx
        bug     RCX_LOST, push rdi
        bug     MISALIGNED, push rax
        push    rax
        save
        mov     rdi, rsp
        call    do_syscall
        restore
        bug     MISALIGNED, add rsp, 8
        add     rsp, 8
        bug     RDI_LOST, xor edi, edi
        bug     NO_CLI, sti
        sound   NO_SWAPGS_OUT, swapgs
        iretq

%elifdef DESIGN_TWO_STACKS              ; leaves by a stack of its own, under page-table isolation
global syscall_entry:function
syscall_entry:
        swapgs
        mov     [gs:SCRATCH], rsp
        mov     rsp, cr3                ; no other register is free
        and     rsp, ~0x1000
        mov     cr3, rsp
        mov     rsp, [gs:STACK]
        push    qword [gs:SCRATCH]
        push    r11
        push    rcx
        bug     MISALIGNED, push rax
        push    rax
        save
        mov     rdi, rsp
        call    do_syscall
        restore
        bug     MISALIGNED, add rsp, 8
        add     rsp, 8
        pop     rcx
        unless_low_half .kill
        pop     r11
        mov     [gs:SCRATCH], rdi
        mov     rdi, rsp
        mov     rsp, [gs:LEAVING]
        sound   RSP_LOST, push qword [rdi]
        bug     RSP_LOST, push rdi
        push    qword [gs:SCRATCH]
        mov     rdi, cr3
        or      rdi, 0x1000
        mov     cr3, rdi
        sound   RDI_LOST, pop rdi
        bug     RDI_LOST, add rsp, 8
        pop     rsp
        swapgs
        o64 sysret
.kill:  call    kill_task
.halt:  hlt
        jmp     .halt

%elifdef DESIGN_SYSENTER                ; RCX is the user's RSP, RDX his RIP: by agreement
global sysenter_entry:function
sysenter_entry:
        sound   NO_SWAPGS_IN, swapgs
        bug     NT_KEPT, cld
    %ifndef BUG_NT_KEPT
        push    2
        popfq
    %endif
        push    USER_SS
        push    rcx
        push    IF | 2
        push    USER_CS
        push    rdx
        bug     MISALIGNED, push rax
        push    rax
        save
        mov     rdi, rsp
        call    do_syscall
        restore
        bug     MISALIGNED, add rsp, 8
        add     rsp, 8
        bug     RDI_LOST, xor edi, edi
        sound   NO_SWAPGS_OUT, swapgs
        iretq

%elifdef DESIGN_INT80
%macro swap_gs_from_ring3 0             ; with the frame right at RSP
        test    byte [rsp + 8], 3
        jz      %%kernel
        swapgs
%%kernel:
%endmacro

global isr128:function
isr128: swap_gs_from_ring3
        cld
        push    rax
        save
        mov     rdi, rsp
        call    do_syscall
        restore
        add     rsp, 8
        bug     RDI_LOST, xor edi, edi
        swap_gs_from_ring3
        iretq
%endif

%ifdef BUG_ANOTHER_ENTRY
global another_entry:function
another_entry:
        swapgs
        mov     rax, [gs:STACK]
        swapgs
        o64 sysret
%endif

; The traps that can come anywhere, which decide by the GS base itself.
%macro paranoid 2                       ; paranoid LABEL, VECTOR
global %1:function
%1:     push    0
        push    %2
        jmp     anywhere
%endmacro

        paranoid isr1, 1
        paranoid isr2, 2

anywhere:
        bug     NMI_SCRATCH, mov [gs:SCRATCH], rbx
        bug     NMI_VARIABLE, mov [user_rsp], rbx
        cld
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        sub     rsp, 8
        xor     ebx, ebx                ; whether GS is to be swapped back
%ifndef DESIGN_MINIMAL
    %ifdef BUG_NMI_BY_CS
        test    byte [rsp + 14 * 8], 3
        jz      .kernels
    %else
        mov     ecx, 0xC0000101
        rdmsr
        test    edx, edx
        js      .kernels
    %endif
        swapgs
        inc     ebx
.kernels:
%endif
        mov     rdi, rsp
        call    do_trap
%ifndef DESIGN_MINIMAL
        test    ebx, ebx
        jz      .back
        swapgs
.back:
%endif
        add     rsp, 8
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rbx
        pop     rdx
        pop     rcx
        pop     rax
        add     rsp, 16
        iretq

        section .bss
user_rsp:
        resq    1
        alignb  16
kernel_stack:
        resb    4096
.top:
