"""idt: the gates that the CPU uses."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import gdb
from manuals import CONSTANTS, VECTORS, short, title, vector_of

from ..command import Command, say
from ..draw import words
from ..frame import path, symbols

_TYPES = {0xE: "interrupt gate", 0xF: "trap gate"}


@dataclass(frozen=True)
class Gate:
    """A 64-bit gate: SDM vol. 3, figure 6-8."""

    raw: bytes

    @property
    def offset(self) -> int:
        low, middle, high = struct.unpack("<H4xHI4x", self.raw)
        return high << 32 | middle << 16 | low

    @property
    def selector(self) -> int:
        return int.from_bytes(self.raw[2:4], "little")

    @property
    def ist(self) -> int:
        return self.raw[4] & 7

    @property
    def present(self) -> bool:
        return bool(self.raw[5] & 0x80)

    @property
    def dpl(self) -> int:
        return self.raw[5] >> 5 & 3

    @property
    def type(self) -> str:
        return _TYPES.get(self.raw[5] & 0xF, f"type {self.raw[5] & 0xF:#x}")

    def __str__(self) -> str:
        state = "" if self.present else ", not present"
        return f"{self.type}, IST {self.ist}, DPL {self.dpl}{state}"


def base() -> int:
    """Return where the CPU's IDTR points: QEMU tells it, its GDB stub does not."""
    registers = gdb.execute("monitor info registers", to_string=True)
    return int(re.search(r"^IDT= *([0-9a-f]+)", registers, re.MULTILINE)[1], 16)


def kernel_is_up() -> bool:
    """Whether the kernel has loaded its IDT."""
    return base() >= CONSTANTS["KERNEL_BASE"]


def _gates() -> list[Gate]:
    if not kernel_is_up():
        raise gdb.GdbError("The kernel has not loaded its IDT yet.")
    memory = gdb.selected_inferior().read_memory(base(), 256 * 16).tobytes()
    return [Gate(memory[start : start + 16]) for start in range(0, len(memory), 16)]


def _describe(vector: int, gate: Gate) -> None:
    high, low = struct.unpack("<QQ", gate.raw)[::-1]
    stack = "the stack of this slot, always" if gate.ist else "no switch within a ring"
    clears = "clears IF" if gate.type == "interrupt gate" else "keeps IF"
    say(f"Gate {vector} ({vector:#04x}), {title(vector)}: {high:016x} {low:016x}")
    say(f"  offset    {gate.offset:016x}  {symbols.name(gate.offset)}")
    say(f"  selector  {gate.selector:#06x}            {words.selector(gate.selector)}")
    say(f"  IST       {gate.ist}                 {stack}")
    allowed = "ring 0 alone" if gate.dpl == 0 else f"ring {gate.dpl}, too"
    say(f"  DPL       {gate.dpl}                 INT {vector} is for {allowed}")
    say(f"  type      {gate.type}, {clears}, {'' if gate.present else 'not '}present")


class Idt(Command):
    """Decode the IDT that the CPU has loaded: idt [N or mnemonic].

    Without an argument: the vectors that have a name, and what the others have in common."""

    name = "idt"

    def run(self, argument: str) -> None:
        gates = _gates()
        if argument:
            vector = vector_of(argument)
            if vector is None:
                raise gdb.GdbError(f'idt takes a vector, 0 to 255 or by name, not "{argument}".')
            _describe(vector, gates[vector])
            return
        plain = Gate(gates[80].raw)  # a vector that the table does not name
        alike = 0
        for vector, gate in enumerate(gates):
            own = gate.offset == path.stub(vector)
            if vector not in VECTORS and own and str(gate) == str(plain):
                alike += 1
                continue
            stub = symbols.name(gate.offset) + ("" if own else ", NOT ITS OWN")
            say(f"  {vector:>3} {short(vector):<9} {stub:<18} {gate}")
        say(f"  The other {alike} lead to their own stubs, too: {plain}.")

    def candidates(self) -> list[str]:
        return [vector.mnemonic for vector in VECTORS.values()]


Idt()
