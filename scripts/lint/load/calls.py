"""Who calls whom, and who mentions an address, read off the bytes of an image's code."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from lint.load.image import Image

# CALL and JMP with a 32-bit distance.
NEAR = re.compile(rb"[\xe8\xe9]")
LOCAL = re.compile(r".\.|^\.")  # NASM's and GAS's labels inside of functions


def named_starts(image: Image) -> set[int]:
    """Return where functions start by the symbols: not at labels inside of one."""
    starts, end = set(), 0
    for symbol in image.symbols:
        if not image.is_code(symbol.address) or LOCAL.search(symbol.name):
            continue
        if symbol.is_function or symbol.address >= end:
            starts.add(symbol.address)
            end = max(end, symbol.address + symbol.size)
    return starts


class Calls:
    """The calls, and jumps of their length, of one image. A byte that only looks like one can add a
    caller or a function, and hides none."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._sites: dict[int, list[int]] = defaultdict(list)
        called: set[int] = set()
        for segment in image.code():
            data = bytes(segment.data)
            for match in NEAR.finditer(data):
                end = match.end() + 4
                distance = int.from_bytes(data[match.end() : end], "little", signed=True)
                target = segment.address + end + distance
                if image.is_code(target):
                    self._sites[target].append(segment.address + match.start())
                    if match[0] == b"\xe8":
                        called.add(target)
        starts = named_starts(image) or called
        self._starts = sorted({*starts, *(segment.address for segment in image.code())})

    def function(self, address: int) -> int | None:
        """Return the start of the function that @address lies in."""
        index = bisect_right(self._starts, address) - 1
        return self._starts[index] if index >= 0 else None

    def callers(self, function: int) -> set[int]:
        """Return the functions that call the one at @function, or jump there."""
        found = {self.function(site) for site in self._sites.get(function, ())}
        return found - {None, function}

    def references(self, start: int, size: int) -> Iterator[int]:
        """Yield the places in code of 32-bit numbers that lead to one of @size bytes at @start, as
        they are or relative to the next instruction."""
        end = start + size
        for segment in self._image.code():
            data = bytes(segment.data)
            for shift in range(4):
                usable = (len(data) - shift) // 4 * 4
                words = memoryview(data[shift : shift + usable]).cast("i")
                after = segment.address + shift + 4
                for index, word in enumerate(words):
                    place = after + 4 * index
                    if start <= place + word < end or start <= word % (1 << 64) < end:
                        yield place - 4
