; The bench's trampoline: deliver the same interrupt many times, as cheaply as can be. All that it
; needs it keeps in registers, which every path gives back.

        section .text

; void deliver(const void *stub, uint64_t count, bool with_code, void *rsp)
;       Push what the CPU would push at `rsp`, jump to `stub`, and go on where IRETQ returns.
global deliver:function
deliver:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        mov     rbp, rsp

        mov     rbx, rdi
        mov     r12, rsi
        mov     r14, ss
        mov     r15, cs
        pushfq
        pop     r11
        mov     rsp, rcx
        mov     r13, rsp
        test    dl, dl
        jnz     .with_code_start

        lea     r10, [rel .back]
        align   64
.next:
        push    r14                     ; ss
        push    r13                     ; rsp
        push    r11                     ; rflags
        push    r15                     ; cs
        push    r10                     ; rip
        jmp     rbx
.back:
        dec     r12
        jnz     .next
        jmp     .end

.with_code_start:
        lea     r10, [rel .with_code_back]
        align   64
.with_code_next:
        push    r14
        push    r13
        push    r11
        push    r15
        push    r10
        push    0                       ; the error code
        jmp     rbx
.with_code_back:
        dec     r12
        jnz     .with_code_next

.end:
        mov     rsp, rbp
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret
global deliver_end
deliver_end:

; void dependent_chain(uint64_t cycles)
;       Take that many cycles of the core's clock, a multiple of 100: each NOT waits for the last.
        align   64
global dependent_chain:function
dependent_chain:
%rep 100
        not     rax
%endrep
        sub     rdi, 100
        jnz     dependent_chain
        ret

; The floor: what cannot be left out.
        align   64
global floor_none:function (floor_code - floor_none)
floor_none:
        iretq

        align   64
global floor_code:function (floor_end - floor_code)
floor_code:
        add     rsp, 8
        iretq
floor_end:

        section .note.GNU-stack noalloc noexec nowrite progbits
