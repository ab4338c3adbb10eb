"""The IDT as the kernel itself would write it: the functions that load and fill it are run in the
emulated CPU, with zeros for all that they are not told."""

from __future__ import annotations

from collections.abc import Iterable

from lint.architecture import GATE_SIZE, VECTOR_COUNT
from lint.checks.gates import INTERRUPT_GATE, TRAP_GATE, Gate, gates_in
from lint.engine.boot import Boot
from lint.engine.disasm import Decoder
from lint.load.calls import Calls
from lint.load.image import Image

LIDT = b"\x0f\x01"  # and a ModR/M byte with 3 in its reg field: SDM vol. 2, LGDT/LIDT
CALLERS = 2  # how far up from LIDT a function is looked for that writes the IDT as well
WHOLE = VECTOR_COUNT * GATE_SIZE
MOST_RUNS = 32  # of functions that set gates
ENOUGH_SITES = 8  # LIDT is rare; more matches than these are no code


class WrittenIdt:
    """Runs what may set gates, and keeps every gate that was seen to lead to code."""

    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder
        self._gates: dict[int, Gate] = {}
        self._tables: dict[int, int] = {}
        self._ran: set[int] = set()

    def gates(self) -> list[Gate]:
        """Return the gates by vector, none if no function of the image executes LIDT."""
        sites = list(self._sites())
        if not sites:
            return []
        self._boot, self._calls = Boot(self._image, self._decoder), Calls(self._image)
        done = self._run_with_callers({self._calls.function(site) for site in sites}, CALLERS)
        for base, size in sorted(self._tables.items()):
            at = self._calls.references(base, min(size, WHOLE))
            self._run_with_callers({self._calls.function(place) for place in at} - done, 1)
        return [self._gates[vector] for vector in sorted(self._gates)]

    def _sites(self) -> Iterable[int]:
        """Return the addresses of LIDT instructions."""
        found = []
        for segment in self._image.code():
            data = bytes(segment.data)
            at = data.find(LIDT)
            while at >= 0:
                instruction = self._decoder.at(segment.address + at)
                if instruction is not None and instruction.mnemonic == "lidt":
                    found.append(instruction.address)
                at = data.find(LIDT, at + 1)
        return found[:ENOUGH_SITES]

    def _run_with_callers(self, functions: set[int | None], levels: int) -> set[int]:
        """Run @functions, those that call them, and so on, for so many @levels; return them all."""
        seen: set[int] = set()
        level = {function for function in functions if function is not None}
        for _ in range(levels + 1):
            for function in sorted(level - self._ran):
                if len(self._ran) >= MOST_RUNS or self._is_whole():
                    return seen
                self._ran.add(function)
                self._tables.update(self._boot.run(function))
                self._keep()
            seen |= level
            level = {caller for function in level for caller in self._calls.callers(function)}
            level -= seen
        return seen

    def _is_whole(self) -> bool:
        """Whether every vector has a stub of its own."""
        return len({gate.offset for gate in self._gates.values()}) == VECTOR_COUNT

    def _keep(self) -> None:
        """Note the gates that lead to code, in all tables that LIDT was given."""
        for base, size in self._tables.items():
            for gate in gates_in(self._boot.read(base, min(size, WHOLE)) or b""):
                usual = gate.type in (INTERRUPT_GATE, TRAP_GATE) and not gate.reserved
                if gate.present and usual and self._image.is_code(gate.offset):
                    self._gates[gate.vector] = gate
