"""Entries that are wrong on purpose: what they expect is not what comes. The kernel must say so, or
where an entry tells how the emulator deviates, that it is known."""

from __future__ import annotations

from pathlib import Path

from museum.bugs import Tree

UD = ".here:  ud2\n.next:  done\n"

# What an entry gets wrong, and what the kernel must say of it, as a regular expression.
WRONG = {
    "wrong-vector": (f"{UD}expect GP, .next, code 5, cr2 1, then .next", "vector 6, not 13"),
    "wrong-code-none": (f"{UD}expect UD, .here, code 0, then .next", "no error code was pushed"),
    "wrong-code-pushed": (
        ".here: mov al, [0]\n.next: done\nexpect PF, .here, cr2 0, then .next",
        "an error code was pushed",
    ),
    "wrong-code": (
        ".here: mov al, [0]\n.next: done\nexpect PF, .here, code 2, cr2 0, then .next",
        "error code 0x0, not 0x2",
    ),
    "wrong-or-code": (
        ".here: mov al, [0]\n.next: done\nexpect PF, .here, code 2, or_code 4, cr2 0, then .next",
        "error code 0x0, not 0x2",
    ),
    "wrong-cr2": (
        ".here: mov al, [8]\n.next: done\nexpect PF, .here, code 0, cr2 9, then .next",
        "CR2 0x8, not 0x9",
    ),
    "wrong-dr6": (
        "pushfq\nor qword [rsp], RFLAGS_TF\npopfq\nnop\n.next: done\nexpect DB, .next, dr6 DR6_B0,"
        " rflags_set RFLAGS_TF, abandon",
        "DR6 causes 0x4000, not 0x1",
    ),
    "wrong-rip": (f"{UD}expect UD, .next, then .next", r"RIP 0x\w+, not 0x\w+"),
    "wrong-cs": (f"{UD}expect UD, .here, saved_cs 16, then .next", "CS 0x8, not 0x10"),
    "wrong-ss": (f"{UD}expect UD, .here, saved_ss 8, then .next", "SS 0x10, not 0x8"),
    "wrong-rsp": (f"{UD}expect UD, .here, saved_rsp 8, then .next", r"RSP 0x[0-9a-f]{16}, not 0x8"),
    "wrong-rflags-set": (
        f"{UD}expect UD, .here, rflags_set RFLAGS_IF | RFLAGS_FIXED, then .next",
        r"RFLAGS 0x\w+ without 0x202",
    ),
    "wrong-rflags-clear": (
        f"{UD}expect UD, .here, rflags_clear RFLAGS_IF | RFLAGS_FIXED, then .next",
        r"RFLAGS 0x\w+ with some of 0x202",
    ),
    "wrong-stack": (f"{UD}expect UD, .here, stack DF_STACK, then .next", "on the kernel stack"),
    "wrong-register": (
        f"mov ebx, 1\nmov r15d, 7\n{UD}expect UD, .here, rbx 1, r15 8, then .next",
        "r15 0x7, not 0x8",
    ),
    "wrong-none": ("done\nexpect UD, 0", "no trap came, vector 6 was due"),
    "wrong-one": ("int OWN_VECTOR\ndone", "one trap too many: vector 96"),
    "wrong-count": (
        "%rep 257\nint OWN_VECTOR\n%endrep\ndone\n%rep 256\nexpect OWN_VECTOR, anywhere\n%endrep",
        "one trap too many: vector 96",
    ),
    "wrong-result": ("done 5", "the code found its state wrong: 5"),
    "wrong-interrupt": ("done\ninterrupted COM1", "no interrupt of vector 68 came in its place"),
    "wrong-order": (
        "int3\n.first: sti\nhlt\ncli\ndone\ninterrupted TIMER\nexpect BP, .first",
        "no interrupt of vector 64 came in its place",
    ),
    "wrong-end": ("done\nfatal", "the machine went on"),
}

# What comes instead on QEMU, by the entry's own word: as it says, or in a third way.
DEVIATING = {
    "known-right": ("expect BP, .next", "trap, rip 1", "pass"),
    "known-trap": ("expect BP, 0", "trap, rip .next", "known"),
    "known-any": ("expect BP, 0", "trap, any RIP", "known"),
    "known-vector": ("expect UD, .next, code 5", "trap, vector BP, no_code", "known"),
    "known-code": ("expect BP, .next, code 5, or_code 6", "trap, no_code", "known"),
    "known-two": ("", "trap, vector BP, rip .next", "known"),
    "known-none": ("expect BP, .next\nexpect BP, 0", "trap", "known"),
    "third-way": ("expect BP, 0", "trap, rip 1", "fail"),
    "third-count": ("expect BP, 0", "trap, rip .next, trap", "fail"),
    "not-run": ("expect BP, 0", "unsafe", "skip"),
}

# What comes instead on the CPU itself, for ring 3 in a process.
IN_A_PROCESS = {
    "silicon-right": ("expect BP, .next", "trap, rip 1", "pass"),
    "silicon-trap": ("expect BP, 0", "trap, rip .next", "known"),
    "silicon-any": ("expect BP, 0", "trap, any RIP", "known"),
    "silicon-vector": ("expect UD, .next, code 5", "trap, vector BP, no_code", "known"),
    "silicon-none": ("expect BP, .next\nexpect BP, 0", "trap", "known"),
    "silicon-third-way": ("expect BP, 0", "trap, rip 1", "fail"),
    "silicon-not-run": ("expect BP, .next", "unsafe", "skip"),
}

RUN = "; ".join(f"raise {name}" for name in [*WRONG, *DEVIATING])
DIRECTORY = "own"  # of a tree, as FAULTS= takes it


def _write(directory: Path, name: str, summary: str, text: str, ring: int = 0) -> None:
    entry = f'%include "fault.inc"\nfault {ring}, "{name}", "{summary}"{text}'
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.asm").write_text(entry)


def add(tree: Tree) -> None:
    """Put them into DIRECTORY of @tree."""
    for name, (code, _) in WRONG.items():
        options = ", fatal" if code.endswith("\nfatal") else ""
        text = f"{options}\n{code.removesuffix('fatal')}\n"
        _write(tree.path / DIRECTORY, name, "what we expect is wrong", text)
    for name, (expect, instead, _) in DEVIATING.items():
        rows = f'deviates BOCHS, "a bug"\ndeviates QEMU, "a reason", {instead}\n'
        text = f"\nint3\n.next: done\n{expect}\n{rows}"
        _write(tree.path / DIRECTORY, name, "deviates", text)


def add_for_a_process(tree: Tree) -> None:
    """Put those of IN_A_PROCESS into the catalogue of @tree."""
    for name, (expect, instead, _) in IN_A_PROCESS.items():
        row = f'deviates QEMU, "a bug"\ndeviates SILICON, "a reason", {instead}\n'
        text = f"\nint3\n.next: done\n{expect}\n{row}"
        _write(tree.path / "tests" / "faults", name, "deviates", text, ring=3)
