"""QEMU's log of deliveries as the witness of what the kernel reports of an entry's traps."""

from __future__ import annotations

import trapline
from intlog import Record
from trapline import USER_CALL, Fields

# #CP, #VC and #SX: QEMU logs the code that VMRUN asks for, whether it pushes it or not.
UNCERTAIN_CODES = {21, 29, 30}


def witnessed(records: list[Record], traps: list[Fields], peek: int) -> list[Record]:
    """Leave out what is no part of an entry: devices, the end of ring 3, deliveries that faulted
    themselves, and faults of the kernel's read at @peek. An interrupt is the entry's own if the
    kernel reports it as a trap."""
    reported = {(trap["vector"], trap["rip"]) for trap in traps}
    return [
        record
        for record in records
        if record.delivered
        and record.rip != peek
        and (not record.hardware or (record.vector, record.rip) in reported)
        and not (record.software and record.vector == USER_CALL and record.cpl == 3)
    ]


def in_order_of_handling(records: list[Record], stubs: range) -> list[Record]:
    """A trap that comes before the first instruction of another one's stub is handled first."""
    ordered = list(records)
    for i in range(len(ordered) - 1):
        outer, inner = ordered[i : i + 2]
        if inner.rip in stubs:
            ordered[i : i + 2] = inner, outer
    return ordered


def contradiction(trap: Fields, record: Record) -> str | None:
    """Say where the kernel's report and QEMU's record of one trap differ."""
    saved = {record.rip}
    if record.software:  # the record has INT's own address: CC and CE are one byte, CD n two
        saved = {record.rip + 1, record.rip + 2}
    codes = {record.error} if record.error else {0, "none"}
    if trapline.is_injected(trap) and record.vector in UNCERTAIN_CODES:
        codes.add("none")
    origin = "int" if record.software else "irq" if record.hardware else "cpu"
    pairs = [
        ("vector", trap["vector"], {record.vector}),
        ("error", trap["error"], codes),
        ("rip", trap["rip"], saved),
        ("cs", trap["cs"], {record.cs}),
        ("rsp", trap["rsp"], {record.rsp}),
        ("ss", trap["ss"], {record.ss}),
        ("ring", trap["cs"] & 3, {record.cpl}),
        ("cr2", trap.get("cr2"), {record.cr2} if record.cr2 is not None else {trap.get("cr2")}),
        ("origin", trap["origin"], {origin}),
    ]
    wrong = [name for name, told, right in pairs if told not in right]
    return f"{', '.join(wrong)}: {trap} but QEMU recorded {record}" if wrong else None
