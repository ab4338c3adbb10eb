"""A frame with one wrong bit: what IRETQ refuses is reported as that, and nothing ends in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from damage import results
from damage.experiments import SLOTS, Laboratory, Place, frame_places
from damage.iretq import FRAME, refused
from damage.machine import Machine
from damage.results import Result, Writer
from elf.symbols import Symbol
from gdbstub import GdbStub
from qemu import Qemu

# Of each slot the lowest bits, where names and selectors differ, and some of each other byte.
BITS = (0, 1, 3, 4, 9, 14, 18, 29, 40, 47, 63)


@pytest.fixture(scope="module")
def laboratory(iso: str, symbols: dict[str, Symbol]) -> Iterator[Laboratory]:
    with Machine(iso, symbols) as machine:
        yield Laboratory(machine)


@pytest.mark.parametrize("entry", ["state-kernel", "state-user"])
@pytest.mark.parametrize("slot", FRAME)
def test_a_damaged_return_frame_is_never_silent(
    slot: str, entry: str, laboratory: Laboratory
) -> None:
    for bit in BITS:
        outcome, detail = laboratory.experiment(Place(entry, "iretq", slot, bit // 8, bit % 8))
        assert outcome in ("correct", "reported", "noticed") or is_legal(slot, bit), (bit, detail)


def is_legal(slot: str, bit: int) -> bool:
    """Whether the CPU takes it: IF, IOPL, NT, AC; a null SS in ring 0. SDM vol. 3, 6.14.3."""
    return (slot, bit) in [("rflags", 9), ("rflags", 14), ("rflags", 18), ("ss", 4)]


@pytest.mark.parametrize("bit", range(8, 32))
def test_a_damaged_vector_calls_no_wild_handler(bit: int, laboratory: Laboratory) -> None:
    """Beyond the 256 handlers lies other memory."""
    place = Place("state-kernel", "save", "vector", bit // 8, bit % 8)
    outcome, detail = laboratory.experiment(place)
    assert outcome == "reported"
    assert re.search(rf"PANIC: The frame at \w+ is damaged: vector {6 ^ 1 << bit}$", detail)


def test_a_damaged_register_is_the_program_s_to_notice(laboratory: Laboratory) -> None:
    for slot in SLOTS[:15]:
        outcome, _ = laboratory.experiment(Place("state-kernel", "restore", slot, 5, 2))
        assert outcome == "noticed", slot


# The frame as the kernel's serial interrupt would leave it, and what is wrong with it then.
@pytest.mark.parametrize(
    ("slot", "value", "wrong"),
    [
        ("cs", 0, "CS 0x0 is null"),
        ("cs", 0x10, "CS 0x10 is no code segment"),
        ("cs", 0x28, "CS 0x28 has another RPL than its segment's DPL"),
        ("cs", 0x58, "CS 0x58 lies beyond its table"),
        ("cs", 0x0C, "CS 0xc lies beyond its table"),
        ("ss", 0x40, "SS 0x40 is a segment that is not present"),
        ("ss", 0x08, "SS 0x8 is no writable data segment"),
        ("ss", 0x23, "SS 0x23 has another RPL than CS"),
    ],
)
def test_a_panic_says_what_is_wrong_with_the_frame(
    slot: str, value: int, wrong: str, stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]
) -> None:
    machine, stub = stopped
    machine.type("help")
    frame = stub.run_to(symbols["trap_entry.iretq"].address)["rsp"]
    stub.write(frame + 8 * FRAME.index(slot), value.to_bytes(8, "little"))
    stub.detach()
    report = machine.wait_for(re.compile(r"KERNEL PANIC(?s:.*)System Halted")).group()
    assert f"\nCause   bad return frame: {wrong}\n" in report
    assert f"{slot.upper()}={value:016x}" in report.partition("\nReturn  ")[2]


def test_the_manual_s_word_on_a_good_frame() -> None:
    gdt = [0, 0x00AF9A000000FFFF, 0x00CF92000000FFFF]
    assert refused({"rip": 0xFFFFFFFF80000000, "cs": 8, "ss": 0x10}, gdt) is None
    assert refused({"rip": 1 << 47, "cs": 8, "ss": 0x10}, gdt).slot == "rip"


def test_all_bits_are_flipped_once() -> None:
    places = list(frame_places())
    assert len(places) == len(set(places)) == 2 * 64 * (2 * 22 + 5)


def test_a_campaign_that_was_ended_goes_on(tmp_path: Path) -> None:
    """What was written whole counts; the line in the middle of which it ended does not."""
    path = tmp_path / "shard.csv"
    places = list(frame_places())[:3]
    with Writer(path) as writer:
        for place in places:
            writer.add(Result(place, "correct", "a, b\n"))
    path.write_text(path.read_text()[:-4])
    assert [result.place for result in results.read(path)] == places[:2]
    with Writer(path) as writer:
        writer.add(Result(places[2], "reset", ""))
    assert [result.outcome for result in results.read(path)] == ["correct", "correct", "reset"]
