"""Fixes for the code at hand, where that of the rule would speak of something else."""

from __future__ import annotations

from capstone import x86

from lint.checks import system_call_fixes
from lint.checks.finding import Group
from lint.engine.disasm import Decoder, Instruction
from lint.load.image import Image
from lint.load.mangling import is_mangled

PROLOGUE = 16  # instructions

DECLARE_CODE = (
    "Declare the handler with the error code as its last parameter: this vector carries one."
)
DECLARE_NO_CODE = "Declare the handler without an error code: this vector carries none."
COUNT_CODE = (
    "The CPU has pushed a code for this vector: leave out what the stub makes room for in its"
    " place, or use the way that the other vectors with a code go."
)
CLANG = (
    "The compiler's mistake: Clang, and rustc, misalign the stack of handlers that take an error"
    " code until they have LLVM's pull request 224029 (merged in September 2026). Compile the"
    " handler with -mstackrealign (Clang), or call C from a stub in assembly."
)


class Fixer:
    """Looks at the stub of a finding before it says what to do."""

    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder

    def mend(self, group: Group) -> None:
        """Give @group a fix of its own, if it needs one."""
        group.first.fix = group.first.fix or self._fix(group) or ""

    def _fix(self, group: Group) -> str | None:
        trace = group.first.trace
        if trace is None:
            return None
        if group.rule == "stack-misaligned" and self._is_clangs_mistake(group):
            return CLANG
        at = self._decoder.at(group.first.pc) if group.first.pc is not None else None
        if at is not None and (words := system_call_fixes.fix(group, " ".join(at.text.split()))):
            return words
        if self.is_compiled(trace.entry.name, trace.entry.address):
            return self._for_compiled(group)
        if group.rule == "dummy-code-extra" and not self._pushes_zero(trace.path):
            return COUNT_CODE
        return None

    def is_compiled(self, name: str, address: int) -> bool:
        """Whether the stub at @address is a compiler's."""
        debug = self._image.debug
        return is_mangled(name) or bool(debug and debug.function(address))

    def _for_compiled(self, group: Group) -> str | None:
        if group.rule in ("code-not-dropped", "dummy-code-extra"):
            return DECLARE_CODE
        if group.rule in ("dummy-code-missing", "code-dropped-twice"):
            return DECLARE_NO_CODE
        return None

    def _is_clangs_mistake(self, group: Group) -> bool:
        """Whether all have a code and begin with the PUSH RAX that is for the alignment alone: RAX
        is pushed again, or the frame pointer is behind it."""
        return all(
            f.trace and f.trace.variant.has_code and self._begins_as_clangs(f.trace.entry.address)
            for f in group.findings
        )

    def _begins_as_clangs(self, address: int) -> bool:
        texts: list[str] = []
        while len(texts) < 3 and (instruction := self._decoder.at(address)) is not None:
            if instruction.mnemonic != "endbr64":
                texts.append(" ".join(instruction.text.split()))
            address = instruction.end
        return texts[:2] == ["push rax", "push rax"] or (
            texts == ["push rax", "push rbp", "mov rbp, rsp"]
        )

    def _pushes_zero(self, path: list[int]) -> bool:
        return any(map(_is_push_zero, map(self._decoder.at, path[:PROLOGUE])))


def _is_push_zero(instruction: Instruction | None) -> bool:
    if instruction is None or instruction.mnemonic != "push":
        return False
    operand = instruction.detail.operands[0]
    return operand.type == x86.X86_OP_IMM and operand.imm == 0
