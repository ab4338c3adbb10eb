"""Running a function that enters ring 3: it is called like any other, and makes the frame for IRETQ
by itself."""

from __future__ import annotations

import random

from lint.architecture import GENERAL, RFLAGS_FIXED, RFLAGS_IF
from lint.engine.disasm import Instruction
from lint.engine.run import Runner
from lint.engine.trace import Entry, Trace
from lint.engine.values import OTHER_STACK, STACK_SIZE, Variant

# With other arguments, and interrupts on, in the second run.
RUNS = tuple(
    Variant(ring=0, flags=0, has_code=False, seed=seed, user_gs=False, interrupts=interrupts)
    for seed, interrupts in ((30, False), (32, True))
)


class WayInRunner(Runner):
    """Runs such functions. Their arguments are pointers, in case that they are."""

    def runs(self, address: int, name: str) -> list[Trace]:
        """Return what the function at @address does, with different arguments."""
        return [self.run(Entry(0, address, name), variant) for variant in RUNS]

    def _deliver(self) -> None:
        super()._deliver()
        variant, rng = self._trace.variant, random.Random(self._trace.variant.seed)
        registers = {n: OTHER_STACK + rng.randrange(STACK_SIZE // 2) for n in GENERAL}
        flags = RFLAGS_FIXED | (RFLAGS_IF if variant.interrupts else 0)
        self._cpu.set_registers({**registers, "rsp": self._trace.entry_rsp}, flags)

    def _stack_load(self, instruction: Instruction) -> None:
        """Let RSP be whatever it is given: for SYSRET it is the program's."""


def is_unknown(value: int) -> bool:
    """Whether @value came out of memory whose content nobody knows."""
    return OTHER_STACK <= value < OTHER_STACK + STACK_SIZE
