"""What the judgement finds wrong that no CPU gets wrong: a trap that is as it must be is changed in
memory before it is judged."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from elf.symbols import Symbol
from gdbstub import GdbStub
from qemu import Qemu

# struct outcome of kernel/faults/judge.h: the count and the records; at its end the verdict, the reason, 4
# bytes of nothing, and a pointer. struct record of kernel/report/record.h begins with the registers,
# their address, CR2 and DR6.
RECORDS = 8
REASON_SIZE, BEHIND_REASON = 96, 12
ERROR_CODE, ADDRESS, DR6 = 128, 176, 192

FAIL = 1


@dataclass(frozen=True)
class Case:
    """An entry, and what is added to a number in the record of its first trap."""

    entry: str
    place: int
    add: int
    reason: str  # how it begins

    def __str__(self) -> str:
        return f"{self.entry}-{self.reason.split()[0]}-{self.add:#x}"


DR6_STEP = 1 << 14  # SDM vol. 3, 17.2.3; the other causes are bits 0 to 3, 13 and 15
CASES = [
    Case("ud-ud2", ADDRESS, 8, "the CPU's frame does not hang from an aligned top: regs at 0x"),
    Case("ud-ud2", ERROR_CODE, 5, "the dummy code is 0x5, not 0"),
    *(
        Case("db-step", DR6, 1 << bit, f"DR6 causes {DR6_STEP | 1 << bit:#x}, not {DR6_STEP:#x}")
        for bit in (0, 1, 2, 3, 13, 15)
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(
    case: Case, stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]
) -> None:
    machine, stub = stopped
    machine.type(f"raise {case.entry}")
    state = stub.run_to(symbols["judge"].address)
    outcome = state["rsi"]
    back = int.from_bytes(stub.read(state["rsp"], 8), "little")
    place = outcome + RECORDS + case.place
    value = int.from_bytes(stub.read(place, 8), "little")
    stub.write(place, (value + case.add).to_bytes(8, "little"))
    stub.run_to(back)
    reason = outcome + symbols["outcome"].size - BEHIND_REASON - REASON_SIZE
    assert struct.unpack("<I", stub.read(reason - 4, 4)) == (FAIL,)
    assert stub.read(reason, REASON_SIZE).decode().startswith(case.reason)
