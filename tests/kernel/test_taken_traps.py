"""The kernel's own count and list of traps, against QEMU's log of them."""

from __future__ import annotations

import struct
from collections import Counter

import pytest

from calling import Caller
from elf.symbols import Symbol
from gdbstub import GdbStub
from intlog import Record
from qemu import Qemu

STRUCT_CPU = 0xFFFFFFFFD0000000  # kernel/cpu/layout.def

# struct cpu of kernel/trap/stacks.h: in the page behind TSS and GDT the counts of 256 vectors, how many
# traps there were, and the last ones: the address of the frame, RIP, the code, vector, slot_opened.
COUNTS = struct.Struct("<256QQ")
COUNTS_AT = STRUCT_CPU + 0x1000
TRAP = struct.Struct("<3Q2I")
KEPT = 32

REGS_SIZE = 176  # kernel/trap/regs.h
INT_SIZE = 2
WITH_CODE = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}  # APM vol. 2, table 8-1

# The last ones: a fault with a code, and INT 13, for which the slot of a code is opened.
ENTRIES = ("int-all", "pf-write-readonly", "gp-int13")


def counts(stub: GdbStub) -> tuple[int, ...]:
    return COUNTS.unpack(stub.read(COUNTS_AT, COUNTS.size))


def kept(stub: GdbStub) -> list[tuple[int, ...]]:
    """The last traps, the oldest first."""
    ring = list(TRAP.iter_unpack(stub.read(COUNTS_AT + COUNTS.size, KEPT * TRAP.size)))
    oldest = counts(stub)[-1] % KEPT
    return ring[oldest:] + ring[:oldest]


def due(record: Record) -> tuple[int, ...]:
    """What must be kept of a trap in ring 0."""
    frame = record.rsp // 16 * 16 - REGS_SIZE
    rip = record.rip + (INT_SIZE if record.software else 0)
    slot_opened = record.software and record.vector in WITH_CODE
    return frame, rip, record.error, record.vector, slot_opened


def test_they_are_those_that_came(
    stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]
) -> None:
    machine, stub = stopped
    machine.type("".join(f"raise {name}\n" for name in ENTRIES))
    state = stub.run_to(symbols["fault_run"].address)  # where no trap is under way
    before, seen = counts(stub), len(machine.interrupts())
    for _ in ENTRIES:
        state = stub.run_to(symbols["judge"].address, state)
    came = machine.interrupts()[seen:]
    by_vector = Counter(record.vector for record in came)
    new = [after - earlier for earlier, after in zip(before, counts(stub))]
    assert new == [by_vector[vector] for vector in range(256)] + [len(came)]
    assert kept(stub) == [due(record) for record in came[-KEPT:]]


def test_the_only_cpu_has_taken_them_all(call: Caller) -> None:
    call.stub.write(COUNTS_AT + 8 * 200, struct.pack("<Q", 1000))
    assert call("trap_count_of_all", 200) == 1000


@pytest.mark.parametrize("function", ["interruptions_begin", "interruptions_note"])
def test_each_vector_is_counted_from_there_on(function: str, call: Caller) -> None:
    """For the interrupts that an entry waits for between two traps."""
    for vector in range(256):
        call.stub.write(COUNTS_AT + 8 * vector, struct.pack("<Q", 1000 + vector))
    call(function, call.symbols["faults_start"].address, 0)
    kept = call.stub.read(call.symbols["counts"].address, 8 * 256)
    assert struct.unpack("<256Q", kept) == tuple(range(1000, 1256))
