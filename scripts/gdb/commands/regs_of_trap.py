"""regs-of-trap, and how `print *regs` shows struct regs: with words."""

from __future__ import annotations

from collections.abc import Iterator

import gdb
from manuals import VECTORS, short, title

from ..command import Command, say
from ..draw import stack, words
from ..frame import symbols, trap


def _in_words(name: str, value: int) -> str:
    """Return what the register or slot @name says, or ""."""
    if name in ("cs", "ss"):
        return words.selector(value)
    if name == "rflags":
        return words.flags(value)
    if name == "rip":
        return symbols.name(value)
    if name == "rsp":
        return f"mod 16 = {value % 16}"
    return ""


class RegsOfTrap(Command):
    """Show the registers of the code that was interrupted.

    They are found by unwinding, at any instruction of the stub, of the entry or of the
    handler, whether their slots exist already or the CPU still holds them. After `up` it
    is the trap that the selected frame belongs to."""

    name = "regs-of-trap"

    def run(self, argument: str) -> None:
        found = trap.find(gdb.selected_frame())
        if found is None:
            raise gdb.GdbError("No trap is in progress here.")
        interrupted = found.interrupted()
        for line in stack.headline(found):
            say(line)
        for name in ("rip", "cs", "rflags", "rsp", "ss"):
            value = trap.register(interrupted, "eflags" if name == "rflags" else name)
            say(f"  {name:<7} {value:016x}  {_in_words(name, value)}")
        for start in range(0, len(trap.GENERAL), 3):
            names = trap.GENERAL[start : start + 3]
            say("".join(f"  {name:<3} {trap.register(interrupted, name):016x}" for name in names))


class _RegsPrinter:
    """GDB's pretty-printer of struct regs."""

    def __init__(self, regs: gdb.Value) -> None:
        self.regs = regs

    def to_string(self) -> str:
        return title(int(self.regs["vector"]))

    def children(self) -> Iterator[tuple[str, str]]:
        for field in self.regs.type.fields():
            yield field.name, self._child(field.name, int(self.regs[field.name]))

    def _child(self, name: str, value: int) -> str:
        if name == "vector":
            return f"{value} ({short(value)})"
        text = _in_words(name, value)
        if name == "error_code":
            text = self._error(value)
        return f"{value:#x} ({text})" if text else f"{value:#x}"

    def _error(self, code: int) -> str:
        vector = int(self.regs["vector"])
        if vector in VECTORS and VECTORS[vector].has_code and not self.regs["slot_opened"]:
            return words.error(vector, code)
        return "a dummy: no code came"


def _printer(value: gdb.Value) -> _RegsPrinter | None:
    return _RegsPrinter(value) if value.type.strip_typedefs().tag == "regs" else None


gdb.pretty_printers.append(_printer)
RegsOfTrap()
