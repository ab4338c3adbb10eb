"""The monitor's frame pictures of two kernels, beside each other."""

from __future__ import annotations

import bisect
import re
from pathlib import Path

from elf.symbols import load

SLOT = re.compile(r"^  ([0-9a-f]{16}) \| ([0-9a-f]{16}) \| (error code|\w+)")
STAGE = re.compile(r"^ +(\+-+\+)([^,]*)")
RESULT = "result: "
FOR_PROGRAMS = ("expect: ", "trap: ", RESULT)
BANNER = 2  # lines that every boot begins with

# The kernel's image, in whose names addresses can be told: linker.ld.
IMAGE = range(0xFFFFFFFF80000000, 0xFFFFFFFFA0000000)
STACK_LIMIT = 1 << 16  # no stack of the kernel is larger


def split(text: str) -> tuple[list[str], list[str]]:
    """Split what a kernel has said for `raise NAME; frame 1`: for people, and the picture, which is
    empty if no trap came."""
    lines = text.splitlines()[BANNER:]
    end = next((i for i, line in enumerate(lines) if line.startswith(RESULT)), len(lines))
    words = [line for line in lines[:end] if not line.startswith(FOR_PROGRAMS)]
    picture = lines[end + 1 :]
    return words, picture if any(map(SLOT.match, picture)) else []


class Names:
    """The symbols of a kernel: two kernels have the same thing at different addresses."""

    def __init__(self, elf: Path) -> None:
        self._symbols = sorted((symbol.address, name) for name, symbol in load(elf).items())

    def describe(self, value: int) -> str | int:
        if value not in IMAGE:
            return value
        at = bisect.bisect_right(self._symbols, (value, "\x7f")) - 1
        address, name = self._symbols[at]
        return f"{name}+{value - address:#x}"


def _slots(picture: list[str]) -> dict[str, tuple[int, int]]:
    """The address and the value of each slot by its name."""
    matches = filter(None, map(SLOT.match, picture))
    return {match[3]: (int(match[1], 16), int(match[2], 16)) for match in matches}


def beside(good: list[str], bad: list[str], good_names: Names, bad_names: Names) -> list[str]:
    """Return the picture @good with the slots of @bad in a column of its own, if they differ."""
    ours, theirs = _slots(good), _slots(bad)
    if not theirs:
        return [*good, "", "The broken kernel does not come to draw its own."]
    lines, differences = [], 0
    for line in good:
        if slot := SLOT.match(line):
            value, other = int(slot[2], 16), theirs[slot[3]][1]
            differs = good_names.describe(value) != bad_names.describe(other)
            differences += differs
            mark = "  <--" if differs else ""
            lines.append(f"  {slot[1]} | {slot[2]} | {other:016x} | {slot[3]}{mark}")
        elif stage := STAGE.match(line):
            lines.append(f"{'':19}{stage[1]}{stage[1][1:]}{stage[2]}")
        else:
            lines.append(line)
    higher = theirs["rip"][0] - ours["rip"][0]
    if higher:
        near = f"{abs(higher)} bytes {'higher' if higher > 0 else 'lower'}"
        where = near if abs(higher) < STACK_LIMIT else f"at 0x{theirs['rip'][0]:x}, on no stack"
        return [*lines, "", f"The broken kernel's whole frame lies elsewhere: {where}."]
    if differences:
        return lines
    return [*good, "", "The broken kernel's frame is the same: the damage is elsewhere."]
