"""A kernel's ELF file as a recording shows it: symbols, source lines, instructions."""

from __future__ import annotations

import bisect
import functools
import os
import re
import subprocess
from pathlib import Path

import capstone

from elf.symbols import Symbol, binutil, every
from explorer.log import Registers
from manuals import CONSTANTS

SECTION = re.compile(r"\] (\.\w+) +PROGBITS +([0-9a-f]+) +([0-9a-f]+) +([0-9a-f]+)")
ROOT = Path(__file__).parents[2]
STUB_SIZE, VECTORS = 16, 256

# The functions that trap_dispatch() calls: their first instruction is recorded, their body is not.
HANDLERS = (
    "on_trap on_user_call fix_up handle_tick keyboard_trap serial_trap only_count"
    " handle_irq7 handle_irq15 on_stop on_call on_shootdown"
).split()


class Program:
    """An ELF file of the kernel."""

    def __init__(self, elf: Path, root: Path) -> None:
        """@root is the directory of the sources, from which their names are told."""
        self.elf = elf
        self.root = root
        symbols = every(elf)
        self.symbols: dict[str, Symbol] = dict(symbols)
        self._places = sorted((s.address, name) for name, s in symbols if s.kind != "OBJECT")
        self._lines: dict[int, tuple[str, int] | None] = {}
        self._decoders: dict[int, capstone.Cs] = {}

    def symbol(self, name: str) -> Symbol:
        return self.symbols[name]

    @functools.cached_property
    def image(self) -> bytes:
        """The file, without the version: what a recording depends on."""
        data = self.elf.read_bytes()
        place = self.symbols.get("version")
        return data.replace(self.data(place.address, place.size), b"") if place else data

    @property
    def stubs(self) -> range:
        first = self.symbol("isr_0_DE").address
        return range(first, first + VECTORS * STUB_SIZE)

    @property
    def entry(self) -> range:
        return range(self.symbol("trap_entry_code").address, self.symbol("trap_entry_end").address)

    @functools.cache
    def _sections(self) -> dict[str, tuple[range, int]]:
        """Where the sections lie, and where in the file."""
        command = [binutil("readelf"), "-SW", str(self.elf)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return {
            name: (range(int(address, 16), int(address, 16) + int(size, 16)), int(offset, 16))
            for name, address, offset, size in SECTION.findall(text)
        }

    def section(self, name: str) -> tuple[range, int]:
        """Return where the section @name lies, and where in the file."""
        return self._sections()[name]

    def data(self, address: int, size: int) -> bytes:
        """Return @size bytes at @address, as the file has them."""
        for where, offset in self._sections().values():
            if address in where:
                with open(self.elf, "rb") as file:
                    file.seek(offset + address - where.start)
                    return file.read(size)
        return b""

    @property
    def programs(self) -> list[range]:
        """Where the code of the catalogue's entries lies."""
        return [self._sections()[name][0] for name in (".fault_text", ".user_text")]

    @property
    def path(self) -> list[range]:
        """Where the code lies that every trap and every entry passes."""
        names = ("ring3_call", "ring_end")
        calls = range(*(self.symbol(name).address for name in names))
        dispatch = self.symbol("trap_dispatch")
        heads = [address for address, name in self._places if name in HANDLERS]
        return [
            self.stubs,
            self.entry,
            range(dispatch.address, dispatch.end),
            calls,
            *(range(head, head + 1) for head in heads),
        ]

    def place(self, address: int) -> str:
        """Return where @address is: "trap_entry+8"."""
        at = bisect.bisect_right(self._places, (address, "\x7f")) - 1
        if at < 0:
            return f"{address:x}"
        start, name = self._places[at]
        return f"{name}+{address - start:#x}" if address > start else name

    def lines(self, addresses: list[int]) -> dict[int, tuple[str, int]]:
        """Return file and line of each of @addresses that has one."""
        if new := [address for address in addresses if address not in self._lines]:
            self._lines |= dict.fromkeys(new) | self._look_up(new)
        return {address: line for address in addresses if (line := self._lines[address])}

    def _look_up(self, addresses: list[int]) -> dict[int, tuple[str, int]]:
        command = [binutil("addr2line"), "-e", str(self.elf)]
        words = "".join(f"{address:#x}\n" for address in addresses)
        text = subprocess.run(command, input=words, capture_output=True, text=True, check=True)
        found = {}
        for address, line in zip(addresses, text.stdout.splitlines(), strict=True):
            file, _, number = line.partition(" ")[0].rpartition(":")
            if number.isdigit() and file != "??":
                found[address] = self.named(file), int(number)
        return found

    def named(self, file: str) -> str:
        """@file as seen from the sources' directory."""
        path = os.path.normpath(os.path.join(self.root, file))
        # What a kernel of the museum has in common with ours was compiled in our tree.
        roots = [root for root in (self.root, ROOT) if path.startswith(f"{root}/")]
        name = os.path.relpath(path, roots[0]) if roots else path
        # NASM names the directory twice: asm/asm/entry.asm, tests/faults/tests/faults/pf.asm.
        folder = os.path.dirname(name)
        half = folder[: len(folder) // 2]
        return name.removeprefix(f"{half}/") if folder == f"{half}/{half}" else name

    def decode(self, address: int, data: bytes, registers: Registers) -> capstone.CsInsn | None:
        """Return the instruction @data at @address in the mode that CS of @registers has."""
        bits = 32 if registers["cs"] == CONSTANTS["SELECTOR_USER_CODE32"] else 64
        if bits not in self._decoders:
            mode = capstone.CS_MODE_32 if bits == 32 else capstone.CS_MODE_64
            self._decoders[bits] = capstone.Cs(capstone.CS_ARCH_X86, mode)
            self._decoders[bits].detail = True
        return next(self._decoders[bits].disasm(data, address, 1), None)
