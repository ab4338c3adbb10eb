; CR2 is the first byte that cannot be had, not the first of the access.
%include "fault.inc"
%include "tables.inc"

%assign PAGE_SIZE 4096

%macro read_across 2
        mov     eax, %1 + PAGE_SIZE - 4
.here:  mov     rcx, [rax]
.next:  done
expect  PF, .here, code %2, cr2 %1 + PAGE_SIZE, then .next
%endmacro

fault   0, "pf-cross-read", "a read across the end of a page"
        read_across PAGE_SUPERVISOR, 0

fault   3, "pf-user-cross-read", "a read across the end of a page in ring 3"
        read_across PAGE_USER, PF_U

fault   3, "pf-user-cross-write", "a write across the end of a page in ring 3"
        mov     eax, PAGE_USER + PAGE_SIZE - 4
.here:  mov     [rax], rcx
.next:  done
expect  PF, .here, code PF_U | PF_W, cr2 PAGE_USER + PAGE_SIZE, then .next

; A push writes below RSP; RSP itself stays as it was.
fault   3, "pf-user-push", "PUSH onto a not-present page"
        mov     rbx, rsp
        mov     esp, PAGE_USER
.here:  push    rax
.next:  mov     rsp, rbx
        done
expect  PF, .here, code PF_U | PF_W, cr2 PAGE_USER - 8, saved_rsp PAGE_USER, then .next

; The call itself succeeds: its return address is on the stack.
fault   3, "pf-user-call", "CALL of a not-present page"
        mov     rbx, rsp
        mov     eax, PAGE_NOT_PRESENT + 0x40
        call    rax
.next:  cmp     rsp, rbx
        je      .wrong
        pop     rcx
        lea     rdx, [rel .next]
        cmp     rcx, rdx
        jne     .wrong
        done
.wrong: mov     rsp, rbx
        done    1
expect  PF, PAGE_NOT_PRESENT + 0x40, code PF_U | PF_I, cr2 PAGE_NOT_PRESENT + 0x40, then .next

; An instruction that begins on a good page and ends on none: RIP is its first byte.
%assign START PAGE_SUPERVISOR_CODE + PAGE_SIZE - 2

fault   0, "pf-cross-fetch", "an instruction across the end of a page"
        clear_wp
        mov     rax, START
        mov     word [rax], 0xC0C7      ; MOV EAX, imm32 without its immediate
        jmp     rax
.next:  done
expect  PF, START, code PF_I, cr2 PAGE_SUPERVISOR_CODE + PAGE_SIZE, then .next

%assign USER_START PAGE_USER_CODE + PAGE_SIZE - 2

fault   3, "pf-user-cross-fetch", "an instruction across a page's end, ring 3", prepare .write
        mov     eax, USER_START
        jmp     rax
.next:  done
expect  PF, USER_START, code PF_U | PF_I, cr2 PAGE_USER_CODE + PAGE_SIZE, then .next

; For the moment the page is ring 0's to write: else SMAP, too, would keep it from that.
routine .write
        page_entry PAGE_USER_CODE
        mov     rcx, [rax]
        lea     rdx, [rcx + PTE_RW - PTE_US]
        mov     [rax], rdx
        invlpg  [PAGE_USER_CODE]
        mov     word [USER_START], 0xC0C7
        mov     [rax], rcx
        invlpg  [PAGE_USER_CODE]
        ret

; ENTER ends with a probe: could a write go to where RSP shall point? SDM vol. 2, ENTER.
%macro enter_beyond 2
        mov     rbx, rsp
        mov     esp, %1 + 0x40
.here:  enter   0x80, 0
.next:  mov     rsp, rbx
        done
expect  PF, .here, code PF_W | %2, cr2 %1 + 0x40 - 8 - 0x80, saved_rsp %1 + 0x40, then .next
%endmacro

fault   3, "pf-user-enter", "ENTER, its frame on a not-present page"
        enter_beyond PAGE_USER, PF_U
