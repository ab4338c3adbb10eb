"""What the kernel takes down of a trap, from frames as the CPU, an INT n or a controller would leave
them: who asked for it, and whether the CPU pushed an error code."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from calling import Caller
from conftest import stopped_at_prompt
from elf.symbols import Symbol

# kernel/trap/regs.h in 64-bit words: 15 registers, vector and slot_opened, the code, RIP and the rest.
REGS = struct.Struct("<15Q II Q 5Q")
RECORD = struct.Struct("<176s 3Q I ?")  # kernel/report/record.h

BAD_RETURN_SIZE = 64  # behind that

MC_STACK_END = 0xFFFFFFFFD000F000  # of kernel/cpu/layout.def: behind it is no page

GP = 13
CPU, INT, IRQ = range(3)
LAST_EXCEPTION = 31  # SDM vol. 3, 6.2: those up to it are the CPU's own
INT_N, INT3, INTO = 0xCD, 0xCC, 0xCE  # SDM vol. 2, INT n/INTO/INT3
NOTHING = bytes([0x90, 0x90])


@dataclass(frozen=True)
class Frame:
    """A trap's vector, the two bytes in front of its RIP, and who has asked for it."""

    vector: int
    before: bytes
    origin: int
    has_code: bool = False  # of the CPU's
    slot_opened: bool = False  # there was no code, where an exception has one

    def __str__(self) -> str:
        return f"{self.vector}-{self.before.hex()}-{self.slot_opened:d}"


FRAMES = [
    Frame(6, NOTHING, CPU),
    Frame(6, bytes([INT_N, 6]), INT),
    Frame(6, bytes([INT_N, 7]), CPU),
    Frame(6, bytes([INT3, 6]), CPU),
    Frame(3, bytes([0x90, INT3]), INT),
    Frame(3, bytes([0x90, INTO]), CPU),
    Frame(4, bytes([0x90, INTO]), INT),
    Frame(4, bytes([0x90, INT3]), CPU),
    Frame(6, bytes([0x90, INT3]), CPU),
    Frame(6, bytes([0x90, INTO]), CPU),
    Frame(14, bytes([INT_N, 14]), CPU, has_code=True),
    Frame(14, bytes([INT_N, 14]), INT, slot_opened=True),
    Frame(14, NOTHING, CPU, slot_opened=True),
    Frame(LAST_EXCEPTION, NOTHING, CPU),
    Frame(LAST_EXCEPTION + 1, NOTHING, IRQ),
    Frame(LAST_EXCEPTION + 1, bytes([INT_N, LAST_EXCEPTION + 1]), INT),
]


@pytest.fixture(scope="module")
def call(
    iso: str,
    state: Callable[[str], str],
    symbols: dict[str, Symbol],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Caller]:
    """One machine for all of them: none changes it."""
    directory = tmp_path_factory.mktemp("record")
    with stopped_at_prompt(iso, state, "no screen", directory) as (_, stub):
        yield Caller(stub, symbols)


def taken(call: Caller, frame: Frame, rip: int) -> tuple[int, bool]:
    """What is taken down of @frame at @rip: who has asked for it, and whether it has a code."""
    regs, record = call.scratch + 64, call.scratch + 512
    words = REGS.pack(*range(15), frame.vector, frame.slot_opened, 0, rip, 8, 2, 0, 16)
    call.stub.write(regs, words)
    call("record_take", record, regs)
    found = RECORD.unpack(call.stub.read(record, RECORD.size))
    assert (found[0], found[1]) == (words, regs)
    return found[4:]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_it_knows_who_asked_for_a_trap(frame: Frame, call: Caller) -> None:
    call.stub.write(call.scratch, frame.before)
    rip = call.scratch + len(frame.before)
    assert taken(call, frame, rip) == (frame.origin, frame.has_code)


@pytest.mark.parametrize("vector", [0, 1])
def test_an_int_that_is_cut_off_is_none(vector: int, call: Caller) -> None:
    """The page ends with the opcode of INT n, and where its vector would be is nothing: the step
    to a target there is a trap."""
    frame = Frame(vector, bytes([INT_N]), CPU)
    call.stub.write(MC_STACK_END - 1, frame.before)
    assert taken(call, frame, MC_STACK_END + 1) == (CPU, False)


def test_it_knows_what_was_wrong_with_a_frame_that_iretq_refused(call: Caller) -> None:
    """That is the only trap of which RIP is there."""
    frame, regs, record = call.scratch, call.scratch + 64, call.scratch + 512
    call.stub.write(frame, struct.pack("<5Q", call.here["rip"], 0, 2, call.scratch, 16))
    for place, words in (("trap_entry.iretq", b"CS 0x0 is null"), ("trap_entry", b"")):
        rip = call.symbols[place].address
        call.stub.write(regs, REGS.pack(*range(15), GP, 0, 0, rip, 8, 2, frame, 16))
        call("record_take", record, regs)
        text = call.stub.read(record + RECORD.size, BAD_RETURN_SIZE)
        assert text.partition(b"\0")[0] == words
