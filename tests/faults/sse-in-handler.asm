; A handler that uses SSE saves its registers on the stack with MOVAPS, which is #GP if the path has
; not kept the ABI's alignment. INT 13 leaves the stack otherwise than an exception does, for it
; pushes no code. Not every emulator checks MOVAPS, so the handler also measures RSP.
%include "fault.inc"

fault   0, "sse-in-handler", "a handler finds RSP aligned, and may use SSE"
        xor     ebx, ebx
.here:  ud2
.code:  int     13
.next:  test    ebx, ebx
        jnz     .wrong
        done
.wrong: done    1
expect  UD, .here, repair .use_sse, then .code
expect  GP, .next, repair .use_sse

; Every slot of the frame is the program's: RBX gets what RSP is off by.
routine .use_sse
        lea     rax, [rsp + 8]          ; before the call
        and     eax, 15
        or      [rdi + REGS_RBX], rax
        sub     rsp, 24
        movaps  [rsp], xmm0
        xorps   xmm0, xmm0
        movaps  xmm0, [rsp]
        add     rsp, 24
        ret
