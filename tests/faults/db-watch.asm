; Data and I/O breakpoints are traps: the access has been made.
%include "fault.inc"
%include "debug.inc"

%assign WATCHED PAGE_SUPERVISOR + 0x100
%assign PORT_DELAY 0x80                 ; POST codes: nobody minds

fault   0, "db-watch-write", "a write to a watched doubleword"
        breakpoint 0, WATCHED, WRITE, 4
        mov     rbx, WATCHED
        mov     dword [rbx], 1
.next:  done
expect  DB, .next, dr6 DR6_B0

fault   0, "db-watch-read", "a read of a doubleword watched for both"
        breakpoint 1, WATCHED, ACCESS, 4
        mov     rbx, WATCHED
        mov     ecx, [rbx]
.next:  done
expect  DB, .next, dr6 DR6_B1

fault   0, "db-watch-write-read", "a read of what is watched for writes"
        breakpoint 0, WATCHED, WRITE, 4
        mov     rbx, WATCHED
        mov     ecx, [rbx]
        done

fault   0, "db-watch-overlap", "a write of 8 bytes over one watched byte"
        breakpoint 0, WATCHED + 5, WRITE, 1
        mov     rbx, WATCHED
        mov     [rbx], rcx
.next:  done
expect  DB, .next, dr6 DR6_B0

fault   0, "db-watch-two", "a write to a byte that two registers watch"
        breakpoint 0, WATCHED, WRITE, 1
        breakpoint 3, WATCHED, ACCESS, 1
        mov     rbx, WATCHED
        mov     byte [rbx], 1
.next:  done
expect  DB, .next, dr6 DR6_B0 | DR6_B3

fault   3, "db-user-watch", "a write to a watched doubleword in ring 3", prepare .set
        mov     ebx, PAGE_USER
        mov     dword [rbx], 1
.next:  done
expect  DB, .next, dr6 DR6_B0

routine .set
        breakpoint 0, PAGE_USER, WRITE, 4
        ret

; The CPU sets BS and clears it never: software's own stays. SDM vol. 3, 17.2.3.
fault   0, "db-watch-dr6-kept", "a watched write: DR6.BS stays as it was"
        mov     eax, DR6_BS
        mov     dr6, rax
        breakpoint 0, WATCHED, WRITE, 4
        mov     rbx, WATCHED
        mov     dword [rbx], 1
.next:  done
expect  DB, .next, dr6 DR6_B0 | DR6_BS

; One #DB tells both.
fault   0, "db-watch-step", "a watched write together with single step"
        breakpoint 0, WATCHED, WRITE, 4
        mov     rbx, WATCHED
        step
        mov     dword [rbx], 1
.next:  done
expect  DB, .next, dr6 DR6_B0 | DR6_BS, repair .stop

routine .stop
        stop_stepping
        ret

fault   0, "db-io", "OUT to a watched port (CR4.DE)"
        breakpoint 0, PORT_DELAY, IO, 1
        out     PORT_DELAY, al
.next:  done
expect  DB, .next, dr6 DR6_B0
