"""Tables that point at stubs, whatever they are called: arrays of pointers, or of structs of one
size with a pointer in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lint.architecture import VECTOR_COUNT
from lint.engine.returning import Handlers
from lint.load.image import Image

STRIDES = (8, 16, 24, 32, 40, 48)  # bytes
ENOUGH = 3  # stubs make a table
EXCEPTIONS = 20  # more make a table of all vectors from 0 on
SHORT = 48  # instructions within which a stub of a table reaches IRETQ
LARGEST = 1 << 24  # bytes of a segment that are searched
MOST_LOOKS = 1000  # at what pointers lead to: a large kernel has many tables of functions


@dataclass
class Found:
    """A table."""

    address: int
    stride: int
    stubs: dict[int, int]  # their addresses by vector
    sure: bool  # whether the vectors are more than a guess


def tables_of_stubs(image: Image, handlers: Handlers) -> list[Found]:
    """Return all tables of at least three different stubs."""
    finder = _Finder(image, handlers)
    return [found for segment in image.segments for found in finder.tables(*_pointers(
        image, segment.address, bytes(segment.data[:LARGEST]).rstrip(b"\0") + bytes(8)
    ))]  # fmt: skip


def _pointers(image: Image, start: int, data: bytes) -> tuple[list[int], dict[int, int]]:
    """Return the places of eight bytes that lead to code, and what all such places hold."""
    skip = -start % 8
    words = memoryview(data[skip : skip + (len(data) - skip) // 8 * 8]).cast("Q")
    spans = [(segment.address, segment.end) for segment in image.code()]
    lowest, highest = min(low for low, _ in spans), max(high for _, high in spans)
    first = start + skip
    found = {
        first + 8 * index: word
        for index, word in enumerate(words)
        if lowest <= word < highest and image.is_code(word)
    }
    return sorted(found), found


class _Finder:
    def __init__(self, image: Image, handlers: Handlers) -> None:
        self._image = image
        self._handlers = handlers
        self._looked_at: dict[int, bool] = {}

    def tables(self, places: list[int], pointers: dict[int, int]) -> Iterator[Found]:
        """Yield the tables among @places of @pointers."""
        end = 0
        for place in places:
            strides = [s for s in STRIDES if place + s in pointers and place + 2 * s in pointers]
            if place < end or not strides or not self._is_stub(pointers[place]):
                continue
            for stride in strides:
                row = self._row(place, stride, pointers)
                if len({pointers[at] for at in row}) >= ENOUGH:
                    yield self._made(row, stride, pointers)
                    end = row[-1] + stride
                    break

    def _is_stub(self, address: int) -> bool:
        if address not in self._looked_at:
            self._looked_at[address] = len(self._looked_at) < MOST_LOOKS and (
                self._handlers.reaches(address, SHORT)
            )
        return self._looked_at[address]

    def _row(self, place: int, stride: int, pointers: dict[int, int]) -> list[int]:
        """Return the places of stubs from @place on; entries of 0 may lie between them."""
        row, at = [], place
        while at < place + VECTOR_COUNT * stride:
            target = pointers.get(at)
            if target is not None and self._is_stub(target):
                row.append(at)
            elif target is not None or self._image.read_int(at) != 0 or stride != STRIDES[0]:
                break
            at += stride
        return row

    def _made(self, row: list[int], stride: int, pointers: dict[int, int]) -> Found:
        start = self._start(row[0])
        numbers = [(place - start) // stride for place in row]
        field = self._field(row, stride) if stride > STRIDES[0] else None
        sure = field is not None or stride == STRIDES[0] and len(row) >= EXCEPTIONS
        stubs = {number: pointers[place] for number, place in zip(field or numbers, row)
                 if number < VECTOR_COUNT}  # fmt: skip
        return Found(start, stride, stubs, sure)

    def _start(self, place: int) -> int:
        """Return where the array begins whose first pointer is at @place: zeros come before."""
        symbol = self._image.symbol_at(place)
        near = symbol is not None and symbol.address <= place < symbol.address + symbol.size
        return symbol.address if near and (place - symbol.address) % 8 == 0 else place

    def _field(self, row: list[int], stride: int) -> list[int] | None:
        """Return what rises from struct to struct and can be vectors."""
        for size in (4, 2, 1):
            for offset in (*range(8, stride, size), *range(-size, 8 - stride - size, -size)):
                numbers = [self._image.read_int(place + offset, size) for place in row]
                if None not in numbers and all(a < b for a, b in zip(numbers, numbers[1:])) and (
                    numbers[-1] < VECTOR_COUNT
                ):
                    return numbers
        return None
