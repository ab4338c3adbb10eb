"""The rules that only the entries of SYSCALL and SYSENTER, and the ways into ring 3, can break."""

from __future__ import annotations

from lint.checks.rule import Rule

SYSCALL = "SDM vol. 2, SYSCALL; APM vol. 2, 6.1.1"
SYSRET = "SDM vol. 2, SYSRET; APM vol. 2, 6.1.1"

SYSTEM_CALL_RULES = (
    # The registers that SYSCALL goes by.
    Rule("sfmask-flags", "ERROR",
         "SFMASK clears IF, DF, TF, AC and NT.",
         "What the program sets is set in ring 0: an interrupt (IF) or #DB (TF) on the user's"
         " stack, #GP at IRETQ (NT), memcpy that runs backwards (DF), no SMAP (AC).",
         "Write 0x44700 or more to IA32_FMASK (0xC0000084).",
         SYSCALL),
    Rule("star-selectors", "ERROR",
         "STAR holds the kernel's CS in bits 32 to 47, with SS behind it; and in bits 48 to 63 the"
         " selector before the user's SS, which comes before the user's 64-bit CS, with RPL 3.",
         "The first SYSRET, or on AMD the first IRETQ after it, raises #GP: SS has the wrong RPL.",
         "GDT: kernel code, kernel data, (32-bit user code,) user data, user code. STAR bits 48"
         " to 63: the selector 8 below user data, or'ed with 3.",
         SYSRET),
    Rule("syscall-target", "ERROR",
         "LSTAR and SYSENTER_EIP hold the address of code.",
         "#PF or #GP in ring 0, on the user's stack: a double fault.",
         "Write the entry's whole address: EDX has its upper half.",
         SYSCALL),
    # The stack.
    Rule("syscall-user-stack", "ERROR",
         "SYSCALL leaves RSP as the user had it: nothing goes through it while it is his.",
         "The user points RSP at the kernel's data, and the kernel writes there; or at nothing, and"
         " gets a double fault.",
         "First keep RSP in a variable and load the kernel's; on the way out load the user's last.",
         SYSCALL),
    Rule("syscall-fault-window", "ERROR",
         "Nothing that may fault is executed on the user's stack.",
         "The fault's frame is pushed where the user says, or becomes a double fault and a reset.",
         "Switch the stack first, or access only the kernel's own, mapped variables.",
         SYSCALL),
    Rule("syscall-interruptible", "ERROR",
         "Interrupts are off in ring 0 while RSP is the user's.",
         "From ring 0 the CPU does not change stacks: the frame goes where the user says.",
         "`cli` before the user's RSP is loaded. SYSRET brings IF back from R11.",
         SYSRET),
    Rule("syscall-parked", "LATENT",
         "What the user had is kept on the task's own stack, not in a variable, when C is called.",
         "If C sleeps, or is preempted, another task's system call overwrites it: the first one"
         " comes back with the other one's stack pointer.",
         "After the switch push the user's RSP, RCX and R11 onto the kernel's stack. The variable"
         " is for the few instructions until then.",
         SYSCALL),
    Rule("syscall-scratch-shared", "ERROR",
         "A trap that can come before the entry has switched stacks keeps nothing where the entry"
         " does.",
         "After an NMI at the wrong instruction the system call goes on with the NMI's values.",
         "Give NMI, #DB and #MC slots of their own, or their IST stacks.",
         "SDM vol. 3, 6.7.1 and 6.14.5"),
    # The return.
    Rule("syscall-rip-lost", "ERROR",
         "SYSRET finds in RCX, or IRETQ in its frame, the RIP that SYSCALL left in RCX.",
         "The program goes on elsewhere, or #GP.",
         "Keep RCX before anything else is done with it, and bring it back.",
         SYSRET),
    Rule("syscall-rflags-lost", "ERROR",
         "SYSRET finds in R11, or IRETQ in its frame, RFLAGS with IF and without IOPL, NT and VM,"
         " as SYSCALL left them in R11.",
         "The user runs with interrupts off, so that no timer ends his turn; or does port I/O.",
         "Keep R11 and bring it back; or mask what is loaded and or 0x202 to it.",
         SYSRET),
    Rule("syscall-rsp-lost", "ERROR",
         "The program gets its own RSP back.",
         "The user's next RET or POP takes something else, or he sees the kernel's stack address.",
         "Load the RSP that the entry has kept, right before SYSRET.",
         SYSRET),
    Rule("sysret-not-canonical", "LATENT",
         "SYSRET is executed only with a canonical RCX.",
         "Intel's CPUs raise #GP in ring 0, with the user's RSP: he writes to the kernel's memory"
         " (CVE-2012-0217).",
         "Compare RCX: `mov rdx, rcx; shr rdx, 47; jnz` to a return by IRETQ; after C, if C can"
         " change the frame's RIP.",
         "SDM vol. 2, SYSRET; CVE-2012-0217 (Intel: SYSRET 64-bit Operating System Privilege"
         " Escalation)"),
    Rule("syscall-rflags-trusted", "INFO",
         "What C may write into the frame is checked before it becomes the user's RFLAGS.",
         "A debugger or signal handler gives a program IOPL 3.",
         "Let C allow no more than the arithmetic flags, DF, TF, AC and RF.",
         SYSRET),
    Rule("sysret-operand-size", "ERROR",
         "SYSRET and SYSEXIT have REX.W: else they return to 32-bit code.",
         "The program goes on in compatibility mode with half an instruction pointer.",
         "`o64 sysret` (NASM), `sysretq` (GAS).",
         SYSRET),
    Rule("syscall-register-lost", "ABI",
         "A system call changes no other registers than the kernel's ABI says.",
         "Programs whose compiler relies on that ABI go wrong after a system call.",
         "Save it and bring it back; or say what your ABI is: --abi FILE.",
         "System V ABI, AMD64 supplement, A.2.1"),
    Rule("syscall-leak", "LATENT",
         "Every register that comes back is the user's own, the result, or zero.",
         "The program reads what the kernel's C left: pointers, keys, other programs' data.",
         "Restore the register, or clear it (`xor`).",
         "System V ABI, AMD64 supplement, A.2.1"),
    Rule("nt-set", "ERROR",
         "NT is clear at IRETQ.",
         "#GP in ring 0 whenever a program sets NT before its system call.",
         "Have SFMASK clear NT; for SYSENTER load RFLAGS (`push 2; popfq`) on the kernel's stack.",
         "SDM vol. 2, IRET; SDM vol. 3, 7.4"),
    # Frames that a function makes for IRETQ.
    Rule("frame-selectors", "ERROR",
         "The CS and SS that are pushed for IRETQ have the same RPL, and are not null in ring 3.",
         "#GP at IRETQ, the first time that user mode is entered.",
         "Push the selectors with RPL 3: `(index << 3) | 3`, for CS and for SS.",
         "SDM vol. 2, IRET; SDM vol. 3, 5.8.1"),
    Rule("frame-rflags", "LATENT",
         "The RFLAGS that a function pushes for ring 3 have IF and bit 1, and neither IOPL nor NT.",
         "No interrupt ever takes the CPU from the program; or it may execute CLI and OUT.",
         "Push 0x202.",
         "SDM vol. 1, 3.4.3"),
    Rule("frame-address", "ERROR",
         "The RIP and RSP that a function pushes for IRETQ are canonical.",
         "#GP at IRETQ.",
         "Push the program's entry and the top of its stack.",
         "SDM vol. 2, IRET"),
)  # fmt: skip
