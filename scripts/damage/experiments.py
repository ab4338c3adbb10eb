"""Experiments with one flipped bit: where the bits are, and what comes of each."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import deviations
from damage.iretq import FRAME, Fault, refused
from damage.machine import Machine
from damage.regions import Region, find_regions
from emulator import qemu
from gdbstub import GdbStub, Registers
from manuals import OFFSETS

# struct regs, upwards from where RDI points at the call. Two fields share the vector's slot.
SLOTS = tuple(name for name in OFFSETS if name != "slot_opened")

# Entries with one trap, after which they check every register.
ENTRIES = ("state-kernel", "state-user")

# The kernel says its worst, a nest of double faults included, in less.
HANG = 10  # seconds

# correct: nothing differs behind the trap. reported: a trap told of it. noticed: the program's own
# check did. wrong: neither did. misreported: IRETQ refused it, and the report blames something else.
OUTCOMES = ("correct", "reported", "noticed", "wrong", "misreported", "hang", "reset")

BAD_RETURN = re.compile(rb"bad return frame: (\w+)")
NOTICED = b"the code found its state wrong"
SAID = re.compile(rb"^(?:KERNEL PANIC: .*|  verdict .*|Cause .*)", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Place:
    """A bit to flip, at a moment of an entry's trap."""

    entry: str
    moment: str
    target: str  # a slot of the frame, or a region of memory
    offset: int  # in bytes, in the target
    bit: int


@dataclass
class Prepared:
    """An entry whose moments a machine keeps."""

    frames: dict[str, int]  # the address of the lowest slot, by moment
    behind: Registers  # at the first instruction behind the IRETQ, undamaged


class Laboratory:
    """Runs experiments on one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._prepared: dict[str, Prepared] = {}
        self.regions = find_regions(machine)
        # Some versions of QEMU return to an address that is not canonical, and fault there.
        here = deviations.Implementation("qemu-tcg", qemu.version())
        rows = deviations.find(deviations.load(), "qemu-tcg", "iret-noncanonical")
        self._returns_anywhere = any(here.is_one_of(row.versions) for row in rows)

    def prepare(self, entry: str) -> Prepared:
        """Keep the moments of @entry, once."""
        if entry not in self._prepared:
            self._prepared[entry] = self._prepare(entry)
        return self._prepared[entry]

    def _prepare(self, entry: str) -> Prepared:
        machine, stub = self.machine, self.machine.stub
        symbols = machine.symbols
        if not self._prepared:
            machine.keep("prompt")
        machine.restore("prompt")
        machine.type(f"raise {entry}")
        stub.run_to(symbols["fault_" + entry.replace("-", "_") + ".here"].address)
        machine.keep(f"{entry}-before")
        stub.run_to(symbols["trap_dispatch"].address)
        frames = {"save": machine.keep(f"{entry}-save")["rdi"]}
        stub.run_to(symbols["trap_entry.return"].address)
        frames["restore"] = machine.keep(f"{entry}-restore")["rbp"]
        stub.run_to(symbols["trap_entry.iretq"].address)
        frames["iretq"] = machine.keep(f"{entry}-iretq")["rsp"] - 8 * SLOTS.index("rip")
        return Prepared(frames, stub.step(stub.registers()))

    def experiment(self, place: Place) -> tuple[str, str]:
        """Flip the bit at @place; return the outcome and a word on it."""
        prepared = self.prepare(place.entry)
        machine, stub = self.machine, self.machine.stub
        machine.restore(f"{place.entry}-{place.moment}")
        due = self._flip(place, prepared)
        if due and due.slot == "rip" and self._returns_anywhere:
            due = None
        behind = f"{prepared.behind['rip']:x}"
        stub.command(f"Z0,{behind},1")
        how = machine.run(HANG)
        differs: list[str] = []
        if how == "stopped":
            now = stub.registers().without_rf()
            differs = prepared.behind.without_rf().differences(now)
        stub.command(f"z0,{behind},1")
        if how == "stopped":
            if not differs:
                return "correct", ""
            how = machine.run(HANG)
        return outcome(how, machine.said, due, differs)

    def _flip(self, place: Place, prepared: Prepared) -> Fault | None:
        """Flip the bit; return what IRETQ must make of it, where the manual tells."""
        machine, stub = self.machine, self.machine.stub
        if region := self.regions.get(place.target):
            machine.physical(region.is_physical)
            flip(stub, region.address(place.offset), place.bit)
            machine.physical(False)
            return None
        frame = prepared.frames[place.moment]
        flip(stub, frame + 8 * SLOTS.index(place.target) + place.offset, place.bit)
        words = dict(zip(SLOTS, quadwords(stub.read(frame, 8 * len(SLOTS))), strict=True))
        gdt = self.regions["gdt"]
        return refused(words, quadwords(stub.read(gdt.address(0), gdt.size)))


def flip(stub: GdbStub, address: int, bit: int) -> None:
    """Flip @bit of the byte at @address."""
    stub.write(address, bytes([stub.read(address, 1)[0] ^ 1 << bit]))


def quadwords(data: bytes) -> list[int]:
    """Return @data as quadwords."""
    return [word for (word,) in struct.iter_unpack("<Q", data)]


def outcome(how: str, said: bytes, due: Fault | None, differs: list[str]) -> tuple[str, str]:
    """Class what came of an experiment: the way it ended, what the guest @said, what IRETQ had to
    make of the frame, and which registers differed behind it."""
    if how in ("hang", "reset"):
        return how, said.decode("ascii", "replace")[-200:]
    words = "; ".join(line.decode("ascii", "replace").strip() for line in SAID.findall(said))
    blamed = BAD_RETURN.search(said)
    if due and (not blamed or blamed[1].decode().lower() != due.slot):
        return "misreported", f"{due.slot} was to blame: {words}"
    if NOTICED in said:
        return "noticed", words
    if how == "halted" or b" fail" in said:
        return "reported", words
    return "wrong", "; ".join(differs) or "another way to the end"


def frame_places() -> Iterator[Place]:
    """Every bit of the frame, at each moment at which it is still to be used."""
    for entry in ENTRIES:
        for moment, slots in (("save", SLOTS), ("restore", SLOTS), ("iretq", FRAME)):
            for target in slots:
                for bit in range(64):
                    yield Place(entry, moment, target, bit // 8, bit % 8)


def region_places(regions: dict[str, Region], seed: int) -> Iterator[Place]:
    """Bits of the regions, each with the same chance as the others, without an end."""
    choose = random.Random(seed)
    names = sorted(regions)
    while True:
        target = choose.choice(names)
        offset = choose.randrange(regions[target].size)
        yield Place(choose.choice(ENTRIES), "before", target, offset, choose.randrange(8))
