"""The memory of a kernel as the tool sees it, whatever file or machine it came from."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field

from lint.load.mangling import readable


@dataclass
class Segment:
    """A piece of memory."""

    address: int
    data: bytes
    executable: bool = True
    writable: bool = True

    @property
    def end(self) -> int:
        return self.address + len(self.data)


@dataclass(frozen=True)
class Symbol:
    """A name and what it stands for. The size is 0 if nobody said it."""

    name: str
    address: int
    size: int = 0
    is_function: bool = False


@dataclass
class Image:
    """Memory and symbols; undefined symbols have an address of their own, where no memory is."""

    name: str
    segments: list[Segment] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    externs: dict[int, str] = field(default_factory=dict)
    debug: object | None = None  # a dwarf.Debug

    def seal(self) -> Image:
        """Sort what lookups search. Call it when all segments and symbols are there."""
        self.segments.sort(key=lambda segment: segment.address)
        self._starts = [segment.address for segment in self.segments]
        self.symbols.sort(key=lambda symbol: (symbol.address, symbol.is_function))
        self._addresses = [symbol.address for symbol in self.symbols]
        self._by_name = {symbol.name: symbol for symbol in self.symbols}
        return self

    def segment_at(self, address: int) -> Segment | None:
        """Return the segment that holds @address."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0 and address < self.segments[index].end:
            return self.segments[index]
        return None

    def page(self, address: int) -> bytes | None:
        """Return the page at @address, if more memory is there than the segments say."""
        return None

    def read(self, address: int, size: int) -> bytes | None:
        """Return up to @size bytes at @address, fewer at a segment's end, None outside of all."""
        segment = self.segment_at(address)
        if segment is None:
            return None
        offset = address - segment.address
        return bytes(segment.data[offset : offset + size])

    def read_int(self, address: int, size: int = 8) -> int | None:
        """Return the little-endian number of @size bytes at @address, or None."""
        data = self.read(address, size)
        return int.from_bytes(data, "little") if data and len(data) == size else None

    def is_code(self, address: int) -> bool:
        """Whether @address may be executed."""
        segment = self.segment_at(address)
        return segment is not None and segment.executable

    def code(self) -> Iterator[Segment]:
        """Yield the executable segments."""
        return (segment for segment in self.segments if segment.executable)

    def symbol(self, name: str) -> Symbol | None:
        """Return the symbol called @name."""
        return self._by_name.get(name)

    @property
    def names(self) -> set[str]:
        """All names of symbols."""
        return set(self._by_name)

    def symbol_at(self, address: int) -> Symbol | None:
        """Return the symbol that @address belongs to: the nearest one at or below it."""
        index = bisect.bisect_right(self._addresses, address) - 1
        if index < 0:
            return None
        symbol = self.symbols[index]
        near = self.segment_at(address)
        return symbol if near is not None and near.address <= symbol.address else None

    def next_symbol(self, address: int) -> Symbol | None:
        """Return the first symbol above @address."""
        index = bisect.bisect_right(self._addresses, address)
        return self.symbols[index] if index < len(self.symbols) else None

    def starts_function(self, address: int) -> bool:
        """Whether a symbol lies exactly at @address."""
        index = bisect.bisect_left(self._addresses, address)
        return index < len(self.symbols) and self._addresses[index] == address

    def describe(self, address: int) -> str:
        """Return @address in words: a name with an offset, or the number."""
        if address in self.externs:
            return readable(self.externs[address])
        symbol = self.symbol_at(address)
        if symbol is None or address - symbol.address > 0x10000:
            return f"{address:#x}"
        offset = address - symbol.address
        name = readable(symbol.name)
        return f"{name}+{offset:#x}" if offset else name
