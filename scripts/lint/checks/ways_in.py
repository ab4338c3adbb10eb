"""The contract of functions that enter ring 3 by a frame of their own, or by SYSRET: as far as it
consists of constants, what they load must be what ring 3 needs."""

from __future__ import annotations

from collections.abc import Iterator

from lint.architecture import (
    RFLAGS_FIXED,
    RFLAGS_IF,
    RFLAGS_IOPL,
    RFLAGS_NT,
    RFLAGS_VM,
    is_canonical,
)
from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.engine.trace import Trace
from lint.engine.values import STACK_BASE, STACK_SIZE
from lint.engine.way_in import is_unknown

SLOTS = ("RIP", "CS", "RFLAGS", "RSP", "SS")
BY_SYSRET = {"RIP": "rcx", "RFLAGS": "r11", "RSP": "rsp"}


class WayIn:
    """One such function, of which there are several @runs."""

    def __init__(self, name: str, runs: list[Trace]) -> None:
        self._name = name
        self._first = runs[0]
        self.ends = {trace.end.kind for trace in runs}
        self.linted = self.ends <= {"iretq", "sysret"} and len(self.ends) == 1
        self._slots = self._constants(runs) if self.linted else {}

    def _constants(self, runs: list[Trace]) -> dict[str, int]:
        """Return the slots that have the same known value in all runs."""
        one, *others = [self._loaded(trace) for trace in runs]
        return {
            slot: value
            for slot, value in one.items()
            if value is not None
            and all(other.get(slot) == value for other in others)
            and not is_unknown(value)
            and not STACK_BASE <= value < STACK_BASE + STACK_SIZE
        }

    @staticmethod
    def _loaded(trace: Trace) -> dict[str, int | None]:
        moment = trace.end.moment
        if trace.end.kind == "sysret":
            return {slot: moment.registers[name] for slot, name in BY_SYSRET.items()}
        return {slot: moment.word(moment.rsp + 8 * at) for at, slot in enumerate(SLOTS)}

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the constants."""
        yield from self._check_selectors()
        enters_ring_3 = self._slots.get("CS", 3) & 3 == 3
        if enters_ring_3 and "RFLAGS" in self._slots:
            yield from self._check_rflags(self._slots["RFLAGS"])
        for slot in ("RIP", "RSP"):
            value = self._slots.get(slot)
            if value is not None and not is_canonical(value):
                yield self._finding("frame-address", f"{slot} {value:#x}")

    def _check_selectors(self) -> Iterator[Finding]:
        cs, ss = self._slots.get("CS"), self._slots.get("SS")
        if cs is None or ss is None:
            return
        wrong = cs & 3 != ss & 3 or not cs & ~3 or cs & 3 == 3 and not ss & ~3
        if wrong:
            yield self._finding("frame-selectors", f"CS {cs:#x} and SS {ss:#x}")

    def _check_rflags(self, value: int) -> Iterator[Finding]:
        wrong = []
        if not value & RFLAGS_IF:
            wrong.append("without IF")
        if not value & RFLAGS_FIXED:
            wrong.append("without bit 1")
        for name, bits in (("IOPL", RFLAGS_IOPL), ("NT", RFLAGS_NT), ("VM", RFLAGS_VM)):
            if value & bits:
                wrong.append(f"with {name}")
        if wrong:
            # The CPU sets bit 1 itself.
            severity = "INFO" if wrong == ["without bit 1"] else None
            yield self._finding(
                "frame-rflags", f"RFLAGS {value:#x}: {' and '.join(wrong)}", severity
            )

    def _finding(self, rule: str, seen: str, severity: str | None = None) -> Finding:
        moment = self._first.end.moment
        return Finding(
            rule,
            severity or RULES[rule].severity,
            None,
            f"{self._name} enters user mode with {seen}",
            RULES[rule].duty,
            self._name,
            moment.pc,
            moment,
            self._first,
        )
