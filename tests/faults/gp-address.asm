; Non-canonical addresses: of data #GP, of the stack #SS, of code #GP at the branch itself.
%include "fault.inc"

%assign NONCANONICAL 0x0000900000000000

%macro access 2+
        mov     rax, NONCANONICAL
.here:  %2
.next:  done
expect  %1, .here, code 0, then .next
%endmacro

fault   0, "gp-noncanonical-write", "a write to a non-canonical address"
        access  GP, mov [rax], ecx

fault   3, "gp-user-noncanonical", "a read from a non-canonical address"
        access  GP, mov ecx, [rax]

; RBP as a base means SS.
%macro through_rbp 0
        mov     rbp, NONCANONICAL
.here:  mov     ecx, [rbp]
.next:  done
expect  SS, .here, code 0, then .next
%endmacro

fault   0, "ss-noncanonical-rbp", "a read through a non-canonical RBP"
        through_rbp

fault   3, "ss-user-noncanonical-rbp", "a read through a non-canonical RBP in ring 3"
        through_rbp

fault   3, "ss-user-push", "PUSH with a non-canonical RSP in ring 3"
        mov     rbx, rsp
        mov     rsp, NONCANONICAL
.here:  push    rax
.next:  mov     rsp, rbx
        done
expect  SS, .here, code 0, saved_rsp NONCANONICAL, then .next

; The saved RIP is the branch and not its target.
%macro branch 1+
        mov     rax, NONCANONICAL
        mov     rbx, rsp
.here:  %1
.next:  mov     rsp, rbx
        done
expect  GP, .here, code 0, then .next
%endmacro

fault   0, "gp-jmp", "JMP to a non-canonical address"
        branch  jmp rax

fault   3, "gp-user-jmp", "JMP to a non-canonical address in ring 3"
        branch  jmp rax

fault   0, "gp-call", "CALL to a non-canonical address"
        branch  call rax

fault   3, "gp-user-call", "CALL to a non-canonical address in ring 3"
        branch  call rax

%macro return 0
        mov     rax, NONCANONICAL
        mov     rbx, rsp
        push    rax
.here:  ret
.next:  mov     rsp, rbx
        done
expect  GP, .here, code 0, then .next
%endmacro

fault   0, "gp-ret", "RET to a non-canonical address"
        return

fault   3, "gp-user-ret", "RET to a non-canonical address in ring 3"
        return
