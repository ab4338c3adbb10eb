"""What the instructions of an interrupt path are for: the hidden duties, one of which each has."""

from __future__ import annotations

import re

DUTIES = (
    "arrival",
    "error code, vector",
    "saving",
    "DF and AC",
    "alignment",
    "argument",
    "call of C",
    "restoring",
    "return",
)


def restored_pushes(code: list[str]) -> set[int]:
    """Which of the pushes in @code are popped again into the same register."""
    slots: list[int] = []
    held: list[int] = []
    found = set()
    for number, instruction in enumerate(code):
        operation, _, operands = instruction.partition(" ")
        operands = operands.strip()
        if operation == "push":
            slots.append(number)
        elif operation == "pop":
            pushed = slots.pop() if slots else -1
            if pushed >= 0 and code[pushed].split()[1:] == [operands]:
                found.add(pushed)
        elif match := re.match(r"rsp,(0x[0-9a-f]+)$", operands):
            count = int(match[1], 16) // 8
            if operation == "sub":
                slots += [-1] * count
            elif operation == "add":
                del slots[len(slots) - min(count, len(slots)) :]
        elif operands == "rbp,rsp":
            held = list(slots)
        elif operands == "rsp,rbp":
            slots = held
    return found


def duties(code: list[str]) -> list[str]:
    """What each instruction of @code is for."""
    restored = restored_pushes(code)
    last_pop = max((i for i, text in enumerate(code) if text.startswith("pop")), default=len(code))
    return [duty(i, text, last_pop, i in restored) for i, text in enumerate(code)]


def duty(number: int, text: str, last_pop: int, is_restored: bool) -> str:
    """What the instruction @text at @number is for."""
    operation, _, operands = text.partition(" ")
    operands = operands.strip()
    rules = (
        (operation == "endbr64", "arrival"),
        (operation == "call", "call of C"),
        (operation in ("iretq", "iretd", "iret"), "return"),
        (operation == "pop", "restoring"),
        (operation == "push" and is_restored, "saving"),
        (operation == "push" and not operands.startswith("r"), "error code, vector"),
        (operation == "jmp" or operands.startswith("spl,"), "error code, vector"),
        (operation == "add" and number > last_pop, "error code, vector"),
        (operation == "jnz" or operation == "jne", "error code, vector"),
        (operation == "mov" and "[rsp" in operands.partition(",")[0], "error code, vector"),
        (operation in ("test", "je", "jz", "cld", "clac"), "DF and AC"),
        (operands.startswith("rdi,"), "argument"),
    )
    return next((name for applies, name in rules if applies), "alignment")
