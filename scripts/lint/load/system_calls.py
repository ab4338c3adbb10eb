"""Where SYSCALL and SYSENTER lead: as the command line, the running machine or the kernel's own
initialiser says, or else to code that returns by SYSRET."""

from __future__ import annotations

import argparse
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import capstone

from lint.architecture import (
    MSR_LSTAR,
    MSR_SFMASK,
    MSR_STAR,
    MSR_SYSENTER_EIP,
    SYSCALL,
    SYSENTER,
)
from lint.engine.disasm import Decoder, Kind
from lint.engine.initialiser import Initialiser
from lint.engine.trace import Entry
from lint.load.given import resolve
from lint.load.image import Image

SYSRET = re.compile(rb"\x0f\x07")
LONGEST = 4096  # bytes from an entry to its SYSRET
MOST_STEPS = 2000  # instructions that are followed


@dataclass
class SystemCalls:
    """The entries beside the IDT, and the registers that belong to them, as far as known."""

    entries: list[Entry] = field(default_factory=list)
    star: int | None = None
    sfmask: int | None = None
    gdt: list[int] = field(default_factory=list)  # empty if not known
    ways_in: list[int] = field(default_factory=list)  # who enters ring 3 by SYSRET: no entry
    others: list[int] = field(default_factory=list)  # that look like entries, but are not LSTAR's


def find(image: Image, options: argparse.Namespace, msrs: dict[int, int] | None) -> SystemCalls:
    """Return what @options say of @image, completed by @msrs, or by a search if they are None."""
    decoder = Decoder(image)
    places = {
        SYSCALL: _resolve(image, options.syscall),
        SYSENTER: _resolve(image, options.sysenter),
    }
    if msrs is None:
        msrs = Initialiser(image, decoder).msrs()
    candidates = _Candidates(image, decoder) if image.segments else None
    for vector, number in ((SYSCALL, MSR_LSTAR), (SYSENTER, MSR_SYSENTER_EIP)):
        if places[vector] is None and msrs.get(number):
            places[vector] = msrs[number]
    if places[SYSCALL] is None and candidates is not None:
        places[SYSCALL] = next(iter(candidates.entries()), None)
    calls = SystemCalls(
        [_entry(image, vector, address) for vector, address in places.items() if address],
        msrs.get(MSR_STAR) if options.star is None else options.star,
        msrs.get(MSR_SFMASK) if options.sfmask is None else options.sfmask,
    )
    if candidates is not None:
        calls.ways_in = [at for at in candidates.ways_in() if at not in places.values()]
        calls.others = [at for at in candidates.entries() if at not in places.values()]
    return calls


def _resolve(image: Image, place: str | None) -> int | None:
    return None if place is None else resolve(image, place)


def _entry(image: Image, vector: int, address: int) -> Entry:
    return Entry(vector, address, image.describe(address))


class _Candidates:
    """The labels from which SYSRET is reached."""

    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder
        self._reached = {start: self._reach(start) for start in sorted(set(self._starts()))}
        leading = {s: i for s, i in self._reached.items() if Kind.SYSRET in i.values()}
        inner = {at for start, path in leading.items() for at in path if at != start}
        self._roots = [start for start in leading if start not in inner]

    def entries(self) -> list[int]:
        """Return those that come from ring 3: they swap GS, or keep the user's RSP, first."""
        return [start for start in self._roots if self._keeps_rsp(start)]

    def ways_in(self) -> list[int]:
        """Return those that do not come from there."""
        return [start for start in self._roots if not self._keeps_rsp(start)]

    def _starts(self) -> Iterator[int]:
        """Yield the labels that are near enough to a SYSRET."""
        addresses = [symbol.address for symbol in self._image.symbols]
        for segment in self._image.code():
            for match in SYSRET.finditer(bytes(segment.data)):
                end = segment.address + match.start()
                last = bisect_right(addresses, end)
                if last and self._is_instruction(addresses[last - 1], end):
                    yield from addresses[bisect_right(addresses, end - LONGEST) : last]

    def _is_instruction(self, start: int, end: int) -> bool:
        """Whether a SYSRET, with or without a prefix, is at @end if code begins at @start."""
        data = self._image.read(start, end + 2 - start) or b""
        lite = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        last = ""
        for _, _, last, _ in lite.disasm_lite(data, start):
            pass
        return last.startswith("sysret")

    def _reach(self, start: int) -> dict[int, Kind]:
        """Return the instructions that follow @start, with what they are."""
        found: dict[int, Kind] = {}
        pending = [start]
        while pending and len(found) < MOST_STEPS:
            instruction = self._decoder.at(pending.pop())
            if instruction is None or instruction.address in found:
                continue
            found[instruction.address] = instruction.kind
            if instruction.kind in (Kind.RETURN, Kind.IRETQ, Kind.SYSRET, Kind.JUMP):
                continue
            jumps = instruction.mnemonic.startswith("j")
            target = self._decoder.target(instruction) if jumps else None
            if target is not None:
                pending.append(target)
            if instruction.mnemonic != "jmp":
                pending.append(instruction.end)
        return found

    def _keeps_rsp(self, start: int) -> bool:
        """Whether RSP is stored, or GS swapped, before anything else happens to them."""
        for address in self._reached[start]:
            instruction = self._decoder.at(address)
            if instruction.kind is Kind.SWAPGS:
                return True
            text = instruction.text.split()
            if text[0] in ("mov", "xchg") and text[-1] == "rsp":
                return True
            if instruction.kind not in (Kind.PLAIN, Kind.SYSTEM):
                return False
        return False
