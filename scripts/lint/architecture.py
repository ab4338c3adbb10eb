"""What the manuals say of vectors, descriptors and the frame: Intel SDM vol. 3, chapters 3 and 6,
and AMD APM vol. 2, chapter 8."""

from __future__ import annotations

VECTOR_COUNT = 256
INT_0X80 = 0x80  # the vector of system calls, by custom
SYSCALL, SYSENTER = VECTOR_COUNT, VECTOR_COUNT + 1  # no vectors: the entries beside the IDT
GATE_SIZE = 16
PAGE_SIZE = 4096

# SDM vol. 3, table 6-1; APM vol. 2, table 8-1, adds #VC and #SX.
VECTORS_WITH_CODE = frozenset({8, 10, 11, 12, 13, 14, 17, 21, 29, 30})

DEBUG, NMI, DOUBLE_FAULT, MACHINE_CHECK = 1, 2, 8, 18
BREAKPOINT, OVERFLOW, PAGE_FAULT = 3, 4, 14

MNEMONICS = {
    0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF",
    10: "#TS", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 18: "#MC",
    19: "#XM", 20: "#VE", 21: "#CP", 28: "#HV", 29: "#VC", 30: "#SX",
}  # fmt: skip
ENTRIES = {SYSCALL: "SYSCALL", SYSENTER: "SYSENTER"}

RFLAGS_FIXED = 1 << 1
RFLAGS_TF = 1 << 8
RFLAGS_IF = 1 << 9
RFLAGS_DF = 1 << 10
RFLAGS_IOPL = 3 << 12
RFLAGS_NT = 1 << 14
RFLAGS_VM = 1 << 17
RFLAGS_AC = 1 << 18

# SDM vol. 4, table 2-2.
MSR_SYSENTER_ESP, MSR_SYSENTER_EIP = 0x175, 0x176
MSR_STAR, MSR_LSTAR, MSR_SFMASK = 0xC0000081, 0xC0000082, 0xC0000084
MSR_EFER = 0xC0000080
MSR_GS_BASE = 0xC0000101
MSR_KERNEL_GS_BASE = 0xC0000102

# In the order of their encoding.
REGISTERS = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
GENERAL = tuple(name for name in REGISTERS if name != "rsp")

# System V ABI, AMD64 supplement, 3.2.1 and figure 3.4.
CALLER_SAVED = ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")


def is_canonical(address: int) -> bool:
    """Whether bits 63 to 47 of @address are equal."""
    return address >> 47 in (0, (1 << 17) - 1)


def vector_name(vector: int) -> str:
    """Return such as "vector 13 #GP", "vector 32" for one without a name, or "SYSCALL"."""
    if vector in ENTRIES:
        return ENTRIES[vector]
    mnemonic = MNEMONICS.get(vector)
    return f"vector {vector} {mnemonic}" if mnemonic else f"vector {vector}"


def ranges(vectors: list[int]) -> str:
    """Return @vectors in words, such as "0-7, 9, 32-255, SYSCALL"."""
    parts: list[list[int]] = []
    for vector in sorted(set(vectors) - ENTRIES.keys()):
        if parts and parts[-1][-1] == vector - 1:
            parts[-1][-1] = vector
        else:
            parts.append([vector, vector])
    words = [str(a) if a == b else f"{a}-{b}" for a, b in parts]
    return ", ".join(words + [ENTRIES[v] for v in sorted(ENTRIES.keys() & set(vectors))])
