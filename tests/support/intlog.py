"""Parser of QEMU's `-d int` log: the witness of every delivery that the guest cannot influence.

QEMU writes a record before it delivers. For a software interrupt (i=1) the record has the address
of the instruction, where the guest sees that of the next one. A delivery that faults is followed
by the record of the new fault with the same CS:RIP and SS:RSP, since nothing was executed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

RECORD = re.compile(
    r"^ *\d+: v=(?P<vector>[0-9a-f]+) e=(?P<error>[0-9a-f]+) i=(?P<software>[01])"
    r" cpl=(?P<cpl>\d) IP=(?P<cs>[0-9a-f]+):(?P<rip>[0-9a-f]+) pc=[0-9a-f]+"
    r" SP=(?P<ss>[0-9a-f]+):(?P<rsp>[0-9a-f]+)(?: CR2=(?P<cr2>[0-9a-f]+))?"
)
INTERRUPT = "Servicing hardware INT="
HARDWARE = re.compile(rf"^{INTERRUPT}0x([0-9a-f]+)")
REGISTER = re.compile(r"\b([A-Z][A-Z0-9]{1,2}) ?=([0-9a-f]+)")
CHECK = re.compile(r"^check_exception old: 0x([0-9a-f]+) new")
NO_EXCEPTION = 0xFFFFFFFF
CPU_FRAME_SIZE = 40  # without an error code

# The faults that a delivery itself can meet: SDM vol. 3, 6.15, "Interrupt 8", contributory
# exceptions and #PF, and the #DF that may follow.
DELIVERY_FAULTS = {8, 10, 11, 12, 13, 14}


@dataclass
class Record:
    """One delivery that QEMU began."""

    vector: int
    error: int
    software: bool  # INT n, INT3 or INTO
    cpl: int
    cs: int
    rip: int
    ss: int
    rsp: int
    cr2: int | None  # of a page fault
    hardware: bool  # an interrupt from outside
    delivered: bool = True  # false if the delivery ran into the fault of the next record
    lines: list[str] = field(default_factory=list, repr=False)  # behind the record's own

    @property
    def place(self) -> tuple[int, int, int, int]:
        return self.cs, self.rip, self.ss, self.rsp

    @cached_property
    def registers(self) -> dict[str, int]:
        """RAX, RFL, CR0, ...: most records are read for nothing but where they came."""
        found = REGISTER.findall("\n".join(self.lines))
        return {name: int(value, 16) for name, value in found}


def parse(text: str) -> list[Record]:
    """Return the records of a log, in order."""
    records: list[Record] = []
    servicing = None
    during_delivery = False
    for line in text.splitlines():
        if match := HARDWARE.match(line):
            servicing = int(match[1], 16)
        elif match := CHECK.match(line):
            during_delivery = int(match[1], 16) != NO_EXCEPTION
        elif match := RECORD.match(line):
            record = _record(match, servicing)
            if records and during_delivery:
                records[-1].delivered = False
            records.append(record)
            servicing, during_delivery = None, False
        elif records:
            records[-1].lines.append(line)
    for before, after in pairwise(records):
        if _is_delivery_fault(before, after) or _is_handler_lost(before, after):
            before.delivered = False
    return records


def _record(match: re.Match[str], servicing: int | None) -> Record:
    value = {name: int(text, 16) for name, text in match.groupdict().items() if text}
    value["software"] = bool(value["software"])
    hardware = servicing == value["vector"] and not value["software"]
    return Record(**{"cr2": None, **value}, hardware=hardware)


def _is_delivery_fault(before: Record, after: Record) -> bool:
    """A benign exception or an interrupt leaves no mark in the log when its delivery faults; the
    unchanged place and flags tell. The same vector again is a handler that returned to its
    fault."""
    return (
        after.vector in DELIVERY_FAULTS
        and not after.software
        and not after.hardware
        and (before.software or before.vector != after.vector)
        and before.place == after.place
        and before.registers.get("RFL") == after.registers.get("RFL")
    )


def _is_handler_lost(before: Record, after: Record) -> bool:
    """Whether the gate's offset is not canonical: QEMU goes there, with the frame pushed, and #GP
    comes in the place of the handler's first instruction."""
    is_canonical = after.rip >> 47 in (0, 0x1FFFF)
    return not is_canonical and after.rsp == before.rsp // 16 * 16 - CPU_FRAME_SIZE
