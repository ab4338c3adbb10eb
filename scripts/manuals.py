"""The lists that C and NASM share, kernel/*/*.def, as Python sees them: lines of
NAME(argument, ...) with no meaning of their own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

_KERNEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kernel")


@dataclass(frozen=True)
class Vector:
    """A line of vectors.def."""

    number: int
    mnemonic: str
    name: str
    kind: str  # FAULT, TRAP, FAULT_OR_TRAP, ABORT or INTERRUPT
    has_code: bool
    ist: int

    def __str__(self) -> str:
        return f"{'' if self.kind == 'INTERRUPT' else '#'}{self.mnemonic} {self.name}"


def _lines(file: str, word: str) -> list[list[str]]:
    """Return the arguments of each @word(...) of the list @file."""
    with open(os.path.join(_KERNEL, file)) as text:
        matches = re.findall(rf"^{word}\((.*)\)$", text.read(), re.MULTILINE)
    return [[argument.strip().strip('"') for argument in match.split(",")] for match in matches]


def _number(text: str) -> int:
    """Return the value of the expressions that the lists use: 3, 0x10, 1 << 5, 0x18 + 3."""
    match = re.fullmatch(r"(\w+)(?: (<<|\+) (\w+))?", text)
    left, operator, right = int(match[1], 0), match[2], int(match[3] or "0", 0)
    return left << right if operator == "<<" else left + right


VECTORS = {
    int(number): Vector(int(number), mnemonic, name, kind, code == "CODE", int(ist))
    for number, mnemonic, name, kind, code, ist in _lines("trap/vectors.def", "VECTOR")
}

CONSTANTS = {
    name: _number(value)
    for file in ("cpu/x86.def", "cpu/layout.def")
    for name, value in _lines(file, "CONSTANT")
}

# struct regs: field and offset, lowest address first.
OFFSETS = {field: int(offset) for _, field, offset in _lines("trap/regs.def", "OFFSET")}


def vector_of(text: str) -> int | None:
    """Return the vector that @text names: 14, 0xe, PF, #PF or isr_14_PF; None if it names none."""
    name = re.sub(r"^(isr_\d+_|isr_|#)", "", text)
    for vector in VECTORS.values():
        if vector.mnemonic == name.upper():
            return vector.number
    try:
        number = int(name, 0)
    except ValueError:
        return None
    return number if 0 <= number < 256 else None


def title(vector: int) -> str:
    """Return "#PF Page Fault", or "vector 80" where the table has no name."""
    return str(VECTORS.get(vector, f"vector {vector}"))


def short(vector: int) -> str:
    """Return "#PF", or "80" where the table has no name."""
    return title(vector).split()[0] if vector in VECTORS else str(vector)
