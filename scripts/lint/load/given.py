"""The stubs that the command line names: patterns such as isr%d, single symbols, tables of pointers
or of equal strides."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from lint.architecture import VECTOR_COUNT
from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.engine.trace import Entry
from lint.errors import CannotRun, near
from lint.load.image import Image, Symbol
from lint.load.mangling import demangled


def in_braces(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for a printf pattern such as "isr%d" or "vec_%02x"."""
    match = re.search(r"%0?\d*([dux])", pattern)
    if match is None:
        raise CannotRun(f"--pattern {pattern}: has no %d or %x for the vector")
    digits = "([0-9a-fA-F]+)" if match[1] == "x" else "([0-9]+)"
    before, after = pattern[: match.start()], pattern[match.end() :]
    return re.compile(f"^{re.escape(before)}{digits}{re.escape(after)}$")


def by_pattern(image: Image, pattern: str, first: int) -> list[Entry]:
    """Return the stubs whose names match a printf @pattern, @first being added to the number."""
    expression = in_braces(pattern)
    base = 16 if re.search(r"%0?\d*x", pattern) else 10
    entries = {}
    for symbol in image.symbols:
        if match := expression.match(symbol.name):
            vector = int(match[1], base) + first
            if vector < VECTOR_COUNT:
                entries[vector] = Entry(vector, symbol.address, symbol.name)
    if not entries:
        raise CannotRun(f"--pattern {pattern}: no symbol matches")
    return list(entries.values())


def by_name(image: Image, assignment: str) -> Entry:
    """Return the stub of an @assignment such as "14=page_fault_entry"."""
    number, _, place = assignment.partition("=")
    try:
        vector = int(number, 0)
    except ValueError:
        vector = -1
    if not 0 <= vector < VECTOR_COUNT or not place:
        raise CannotRun(
            f"--stub {assignment}: expected VECTOR=NAME with a vector of 0 to 255, for example"
            " 14=page_fault or 0x80=0xffffffff80001000"
        )
    address = resolve(image, place)
    if not image.is_code(address):
        raise CannotRun(f"--stub {assignment}: no code is there")
    return Entry(vector, address, place)


def flag(image: Image, address: int, vector: int | None) -> str:
    """Return the option --stub that names the code at @address, as the stub of @vector if that is
    known."""
    symbol = image.symbol_at(address)
    exact = symbol is not None and symbol.address == address
    return f"--stub={'VECTOR' if vector is None else vector}=" + (
        symbol.name if exact else f"{address:#x}"
    )


def resolve(image: Image, place: str) -> int:
    """Return the address of a symbol, as the file has it or as people write it in C++ or Rust, or
    of a number such as 0xffffffff80001000."""
    symbol = image.symbol(place)
    if symbol is not None:
        return symbol.address
    try:
        return int(place, 0)
    except ValueError:
        return _demangled(image, place).address


def _demangled(image: Image, place: str) -> Symbol:
    """Return the symbol whose readable name is @place, or ends with it after a "::"."""
    named = demangled([symbol.name for symbol in image.symbols])
    found = {
        symbol.address: symbol
        for symbol in image.symbols
        if (name := named.get(symbol.name)) and (name == place or name.endswith(f"::{place}"))
    }
    if len(found) > 1:
        names = ", ".join(sorted(symbol.name for symbol in found.values()))
        raise CannotRun(f"{place}: is the name of several functions; say which: {names}")
    if not found:
        known = {*image.names, *named.values()}
        raise CannotRun(f"{place}: is no symbol of {image.name}{near(place, known)}")
    return next(iter(found.values()))


@dataclass
class Table:
    """What --table and its companions name."""

    place: str
    stride: int
    first: int
    count: int | None

    def read(self, image: Image) -> tuple[list[Entry], list[Finding]]:
        """Return the stubs of the table, and findings on vectors that it has none for."""
        address = resolve(image, self.place)
        entries, findings = [], []
        for index in range(self._length(image, address)):
            stub, wrong = self._stub(image, address, index)
            vector = self.first + index
            if not wrong:
                entries.append(Entry(vector, stub, image.describe(stub)))
            elif self.count is not None:
                findings.append(_short(vector, wrong))
            elif stub:
                break
        if not entries:
            raise CannotRun(f"--table {self.place}: no stub is there")
        if self.count is None:
            findings += table_ends_early({entry.vector for entry in entries})
        return entries, findings

    def _length(self, image: Image, address: int) -> int:
        """Return how many stubs to look for: no more than the array has, if its size is known."""
        longest = VECTOR_COUNT - self.first
        if self.count is not None:
            return self.count
        symbol = image.symbol_at(address)
        if self.stride or symbol is None or symbol.size < 8:
            return longest
        return min(longest, (symbol.address + symbol.size - address) // 8)

    def _stub(self, image: Image, address: int, index: int) -> tuple[int, str]:
        """Return the address of the stub at @index, and what is wrong with it. Not 0 if nothing
        that belongs to the table can follow."""
        if self.stride:
            stub = address + index * self.stride
            if not image.is_code(stub):
                return stub, "no code is at its place in the table"
            past = self.count is None and _ends(image, address, stub)
            return stub, "the table ends before it" if past else ""
        slot = address + 8 * index
        table = image.symbol_at(address)
        stub = image.read_int(slot)
        if stub is None or table and table.size > 8 and slot >= table.address + table.size:
            return slot, "the table ends before it"
        if stub == 0:
            return 0, "its entry in the table is 0"
        known = image.is_code(stub) or stub in image.externs
        return stub, "" if known else "its entry in the table leads to no code"


def table_ends_early(vectors: Collection[int]) -> list[Finding]:
    """Return the finding that a table for all @vectors but the last deserves."""
    if set(vectors) == set(range(VECTOR_COUNT - 1)):
        return [_short(VECTOR_COUNT - 1, "the table ends before it")]
    return []


def _short(vector: int, wrong: str) -> Finding:
    rule = RULES["table-short"]
    return Finding(rule.name, rule.severity, vector, wrong, rule.duty)


def _ends(image: Image, table: int, stub: int) -> bool:
    """Whether the symbol at @table has a size, and @stub lies beyond."""
    symbol = image.symbol_at(table)
    return bool(symbol and symbol.size > 64 and stub >= symbol.address + symbol.size)
