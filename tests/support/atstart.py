"""A machine stopped at the kernel's first instruction, where paging is off: all that the firmware
and the boot loader hand over lies open to be damaged, before the kernel reads it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gdbstub
from emulator.qemu import XAPIC
from qemu import Qemu
from elf.symbols import Symbol

END_TAG = 0
ACPI_TAGS = (14, 15)

JUMP_TO_ITSELF = bytes.fromhex("ebfe")


class AtStart:
    """The memory of the machine, and what the kernel is about to read in it."""

    def __init__(self, machine: Qemu, stub: gdbstub.GdbStub) -> None:
        self.machine = machine
        self.stub = stub
        self.information = stub.registers()["rbx"]

    def word(self, address: int) -> int:
        return struct.unpack("<I", self.stub.read(address, 4))[0]

    def write_words(self, address: int, *words: int) -> None:
        self.stub.write(address, struct.pack(f"<{len(words)}I", *words))

    def tags(self) -> dict[int, int]:
        """Return the addresses of the tags of the boot information by their types."""
        found = {}
        at = self.information + 8
        while (type_ := self.word(at)) != END_TAG:
            found[type_] = at
            at += (self.word(at + 4) + 7) & ~7
        return found | {END_TAG: at}

    def table(self, signature: bytes) -> int:
        """Return the address of an ACPI table that the RSDT lists, or of the RSDT itself."""
        rsdp = next(self.tags()[tag] + 8 for tag in ACPI_TAGS if tag in self.tags())
        rsdt = self.word(rsdp + 16)
        count = (self.word(rsdt + 4) - 36) // 4
        listed = struct.unpack(f"<{count}I", self.stub.read(rsdt + 36, 4 * count))
        tables = {self.stub.read(at, 4): at for at in (rsdt, *listed)}
        return tables[signature]

    def entry(self, table: int, type_: int) -> int:
        """Return the address of the first entry of @type_ in the MADT at @table."""
        at = table + 44
        while self.stub.read(at, 1)[0] != type_:
            at += self.stub.read(at + 1, 1)[0]
        return at

    def mend_checksum(self, table: int) -> None:
        """Make the bytes of the ACPI table at @table sum up to 0 again."""
        total = sum(self.stub.read(table, self.word(table + 4)))
        checksum = self.stub.read(table + 9, 1)[0]
        self.stub.write(table + 9, bytes([(checksum - total) & 0xFF]))

    def go(self) -> Qemu:
        """Let the machine run."""
        self.stub.detach()
        return self.machine


@dataclass
class State:
    """A machine saved at the kernel's first instruction, which it executes over and over."""

    path: Path
    start: int
    instruction: bytes  # what is there in truth


def save(iso: str, symbols: dict[str, Symbol], path: Path) -> State:
    """Boot @iso to the kernel's first instruction and save the machine there.

    It waits there in a loop: what a breakpoint has stopped, QEMU saves as such, and does not load."""
    socket = str(path.with_suffix(".socket"))
    with Qemu(iso, options=(*XAPIC, *gdbstub.options(socket))) as machine:
        with gdbstub.GdbStub(socket) as stub:
            start = symbols["start"].address
            stub.run_to(start)
            state = State(path, start, stub.read(start, len(JUMP_TO_ITSELF)))
            stub.write(start, JUMP_TO_ITSELF)
            stub.detach()
            machine.save_state(str(path))
    return state


@contextmanager
def at_start(iso: str, state: State, directory: Path) -> Iterator[AtStart]:
    """Go on from what save() has written, stopped."""
    socket = str(directory / "gdb.socket")
    options = (*XAPIC, *gdbstub.options(socket))
    with Qemu(iso, state=str(state.path), options=options, stopped=True) as machine:
        with gdbstub.GdbStub(socket) as stub:
            stub.write(state.start, state.instruction)
            yield AtStart(machine, stub)
