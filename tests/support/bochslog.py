"""Parser of the CPU's messages in Bochs's log: the witness of every delivery.

An exception is announced with its error code, to which Bochs adds EXT only later; every delivery,
of an exception or not, then has a line with its vector and type. A delivery that faults is
followed by the next exception at the same tick, since no instruction was executed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EXCEPTION = re.compile(r"^(\d+)d\[CPU0  \] exception\(0x([0-9a-f]+)\): error_code=([0-9a-f]+)")
DELIVERY = re.compile(
    r"^(\d+)d\[CPU0  \] interrupt\(\): vector = ([0-9a-f]+), TYPE = (\d), EXT = [01]"
)
TO_INNER_RING = re.compile(r"^\d+d\[CPU0  \] interrupt\(.*\): INTERRUPT TO INNER PRIVILEGE")

# Bochs's numbers, which are VMX's: SDM vol. 3, table 24-16.
EXTERNAL_INTERRUPT, NMI, HARDWARE_EXCEPTION = 0, 2, 3
SOFTWARE_INTERRUPT, PRIVILEGED_SOFTWARE_EXCEPTION, SOFTWARE_EXCEPTION = 4, 5, 6


@dataclass
class Record:
    """One delivery that Bochs began."""

    tick: int
    vector: int
    type: int
    error: int | None  # announced for an exception, whether it is pushed or not; without EXT
    from_ring_3: bool = False
    delivered: bool = True  # false if the delivery ran into the exception of the next record

    @property
    def is_injected(self) -> bool:
        """Whether it is an exception that nothing has announced: VMRUN asked for it."""
        return self.type == HARDWARE_EXCEPTION and self.error is None

    @property
    def origin(self) -> str:
        """Who asked for it, in the words of the kernel's `trap:` line."""
        if self.type in (SOFTWARE_INTERRUPT, SOFTWARE_EXCEPTION):
            return "int"
        return "irq" if self.type == EXTERNAL_INTERRUPT else "cpu"


def parse(text: str) -> list[Record]:
    """Return the records of a log, in order."""
    records: list[Record] = []
    error = None
    for line in text.splitlines():
        if "(" not in line:  # most of a log, page walks for one: not worth an expression
            continue
        if match := EXCEPTION.match(line):
            error = int(match[3], 16)
            if records and records[-1].tick == int(match[1]):
                records[-1].delivered = False
        elif match := DELIVERY.match(line):
            kind = int(match[3])
            code = error if kind == HARDWARE_EXCEPTION else None
            records.append(Record(int(match[1]), int(match[2], 16), kind, code))
            error = None
        elif records and TO_INNER_RING.match(line):
            records[-1].from_ring_3 = True
    return records
