; A write to a page without the R/W bit. CR0.WP makes it count in ring 0 as well.
%include "fault.inc"

fault   0, "pf-write-readonly", "a write to a read-only page"
        mov     rax, PAGE_READ_ONLY
.here:  mov     byte [rax], 1
.next:  done
expect  PF, .here, code PF_P | PF_W, cr2 PAGE_READ_ONLY, then .next
