"""The instructions that are not in the log: all of them, where QEMU has a line for most.

It has one for each that its own loop starts. Behind a RET, and a CALL or JMP by a pointer, it goes past
that loop if it has translated what comes there: whether that has a line depends on what ran before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from explorer import instruction
from explorer.program import Program
from manuals import CONSTANTS

LONGEST = 15  # bytes of an instruction: SDM vol. 2, 2.3.11
ENDBR64 = bytes.fromhex("f30f1efa")  # where a pointer leads: the kernel is compiled for CET's IBT


@dataclass(frozen=True)
class _Way:
    """Where an instruction leads; no targets: by the stack or a pointer."""

    mnemonic: str
    behind: int  # the instruction behind it
    targets: frozenset[int]


class Unlogged:
    """Follows the calls of the code that is not in the log, of which some lines are missing."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._ways: dict[int, _Way | None] = {}
        self._returns: list[int] = []  # where the calls under way return to, the last one last

    def complete(self, begin: int, lines: list[int], following: int) -> list[int]:
        """Return the instructions from @begin to before @following, of which QEMU has @lines, by their
        addresses."""
        if lines[0] != begin and self._leads(begin, lines[0]):
            lines = [begin, *lines]
        found = []
        for address, behind in pairwise([*lines, following]):
            found.append(address)
            while (address := self._past_the_loop(address, behind)) not in (None, behind):
                found.append(address)
        return found

    def _past_the_loop(self, address: int, following: int) -> int | None:
        """Where the instruction at @address leads if QEMU need not have a line for that."""
        way = self._way(address)
        if way and way.mnemonic == "call":
            self._returns.append(way.behind)
        if way is None or way.targets:
            return None
        return self._returned(following) if way.mnemonic == "ret" else self._pointed(following)

    def _returned(self, following: int) -> int | None:
        """End the last call that can have come back before @following; what an entry has abandoned
        has not."""
        for depth in reversed(range(len(self._returns))):
            place = self._returns[depth]
            if place == following or self._leads(place, following):
                del self._returns[depth:]
                return place
        return None

    def _pointed(self, following: int) -> int | None:
        for place in (following, following - len(ENDBR64)):
            if self._program.data(place, len(ENDBR64)) == ENDBR64:
                return place
        return None

    def _leads(self, address: int, following: int) -> bool:
        way = self._way(address)
        return way is not None and (not way.targets or following in way.targets)

    def _way(self, address: int) -> _Way | None:
        if address not in self._ways:
            data = self._program.data(address, LONGEST)
            state = {"cs": CONSTANTS["SELECTOR_KERNEL_CODE"]}
            insn = self._program.decode(address, data, state)
            self._ways[address] = insn and _Way(
                insn.mnemonic, address + insn.size, frozenset(instruction.targets(insn))
            )
        return self._ways[address]
