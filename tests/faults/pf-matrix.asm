; Every bit of the page-fault error code: who, what, and to which page. SDM vol. 3, 4.7.
%include "fault.inc"
%include "tables.inc"

; access ADDRESS, CODE, INSTRUCTION through RAX
%macro access 3+
        mov     rax, %1
.here:  %3
.next:  done
expect  PF, .here, code %2, cr2 %1, then .next
%endmacro

%macro read 2
        access  %1, %2, mov cl, [rax]
%endmacro

%macro write 2
        access  %1, %2, mov [rax], cl
%endmacro

; The fault is the fetch's: RIP is the target, and so is CR2.
%macro fetch 2
        mov     rax, %1
        jmp     rax
.next:  done
expect  PF, %1, code %2, cr2 %1, then .next
%endmacro

fault   0, "pf-read-not-present", "a read of a not-present page"
        read    PAGE_NOT_PRESENT + 0x123, 0

fault   0, "pf-write-not-present", "a write to a not-present page"
        write   PAGE_NOT_PRESENT + 0xFFF, PF_W

; ADD reads and writes. The manuals leave open which of the two the CPU tries first.
fault   0, "pf-rmw-not-present", "ADD to a not-present page"
        access  PAGE_NOT_PRESENT, {PF_W, or_code 0}, add [rax], cl

fault   0, "pf-fetch-not-present", "a fetch from a not-present page"
        fetch   PAGE_NOT_PRESENT, PF_I

fault   0, "pf-write-readonly-no-wp", "a write to a read-only page, CR0.WP clear"
        clear_wp
        mov     rax, PAGE_READ_ONLY
        mov     [rax], cl
        done

fault   3, "pf-user-read-not-present", "a read of a not-present page in ring 3"
        read    PAGE_NOT_PRESENT + 0x123, PF_U

fault   3, "pf-user-write-not-present", "a write to a not-present page in ring 3"
        write   PAGE_NOT_PRESENT + 0xFFF, PF_U | PF_W

fault   3, "pf-user-write-supervisor", "a write to a supervisor page in ring 3"
        write   PAGE_SUPERVISOR + 0x10, PF_P | PF_U | PF_W

fault   3, "pf-user-write-readonly", "a write to a read-only page in ring 3"
        write   PAGE_USER_READ_ONLY + 0x10, PF_P | PF_U | PF_W

fault   3, "pf-user-fetch-not-present", "a fetch from a not-present page in ring 3"
        fetch   PAGE_NOT_PRESENT, PF_U | PF_I

fault   3, "pf-user-fetch-supervisor", "a fetch from a supervisor page in ring 3"
        fetch   PAGE_SUPERVISOR_CODE, PF_P | PF_U | PF_I

fault   3, "pf-user-fetch-nx", "a fetch from a no-execute page in ring 3"
        fetch   PAGE_USER, PF_P | PF_U | PF_I

; A reserved bit is set in the entry. The page counts as present.
fault   0, "pf-read-reserved", "a read, an entry with a reserved bit", needs PTE_RESERVED
        read    PAGE_RESERVED + 8, PF_P | PF_RSVD

fault   0, "pf-write-reserved", "a write, an entry with a reserved bit", needs PTE_RESERVED
        write   PAGE_RESERVED + 8, PF_P | PF_RSVD | PF_W

fault   3, "pf-user-read-reserved", "a read, an entry with a reserved bit", needs PTE_RESERVED
        read    PAGE_USER_RESERVED + 8, PF_P | PF_RSVD | PF_U

fault   3, "pf-user-write-reserved", "a write, an entry with a reserved bit", needs PTE_RESERVED
        write   PAGE_USER_RESERVED + 8, PF_P | PF_RSVD | PF_U | PF_W

; Ring 0 and ring 3's pages.
fault   0, "pf-smep", "a fetch from a user page in ring 0", needs SMEP
        fetch   PAGE_USER_CODE, PF_P | PF_I

fault   0, "pf-smap-read", "a read of a user page in ring 0", needs SMAP
        read    PAGE_USER, PF_P

fault   0, "pf-smap-write", "a write to a user page in ring 0", needs SMAP
        write   PAGE_USER, PF_P | PF_W

fault   0, "pf-smap-stac", "accesses to a user page after STAC", needs SMAP
        stac
        mov     rax, PAGE_USER
        mov     cl, [rax]
        mov     [rax], cl
        done

; Protection keys: SDM vol. 3, 4.6.2. The entry's bits 62:59 are the key, PKRU denies its access
; (AD) or its writes (WD).
%assign KEY 1
%assign PTE_KEY KEY << 59
%assign PKRU_AD 1 << 2 * KEY
%assign PKRU_WD 2 << 2 * KEY

%macro deny 1
        xor     ecx, ecx
        xor     edx, edx
        mov     eax, %1
        wrpkru
%endmacro

; What STAC does, on a CPU that has keys and no SMAP as well.
%macro open_user_pages 0
        pushfq
        or      qword [rsp], RFLAGS_AC
        popfq
%endmacro

%macro lock_page 0
routine .lock
        page_entry PAGE_USER
        mov     rcx, PTE_KEY
        or      [rax], rcx
        invlpg  [PAGE_USER]
        ret
%endmacro

fault   3, "pf-user-key-read", "a read that PKRU denies", needs PKU, prepare .lock
        deny    PKRU_AD
        read    PAGE_USER + 4, PF_P | PF_U | PF_PK
lock_page

fault   3, "pf-user-key-write", "a write that PKRU denies", needs PKU, prepare .lock
        deny    PKRU_WD
        mov     eax, PAGE_USER + 4
        mov     cl, [rax]               ; reading is allowed
        write   PAGE_USER + 4, PF_P | PF_U | PF_W | PF_PK
lock_page

fault   0, "pf-key-read", "a read of a user page that PKRU denies", needs PKU, prepare .lock
        deny    PKRU_AD
        open_user_pages
        read    PAGE_USER + 4, PF_P | PF_PK
lock_page

fault   0, "pf-key-write", "a write to a user page that PKRU denies", needs PKU, prepare .lock
        deny    PKRU_WD
        open_user_pages
        write   PAGE_USER + 4, PF_P | PF_W | PF_PK
lock_page
