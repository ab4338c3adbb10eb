"""Walking a machine's page tables: SDM vol. 3, 4.5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

P, RW, US, PS, NX = 1 << 0, 1 << 1, 1 << 2, 1 << 7, 1 << 63
ADDRESS = 0x000FFFFFFFFFF000


@dataclass(frozen=True)
class Page:
    """Where an address leads, and what all levels together allow."""

    physical: int
    writable: bool
    user: bool
    executable: bool


class PageWalker:
    """Translates addresses through the tables below CR3."""

    def __init__(self, read_page: Callable[[int], bytes], cr3: int, levels: int) -> None:
        """@read_page returns the physical page at an address; @levels is 4, or 5 with LA57."""
        self._read_page = read_page
        self._root = cr3 & ADDRESS
        self._levels = levels
        self._pages: dict[int, Page | None] = {}

    def walk(self, address: int) -> Page | None:
        """Return the page that @address lies in, with the physical address of the very byte;
        None if it is not mapped."""
        number = address >> 12
        if number not in self._pages:
            self._pages[number] = self._walk(number << 12)
        page = self._pages[number]
        if page is None:
            return None
        return Page(page.physical | address & 0xFFF, page.writable, page.user, page.executable)

    def _walk(self, address: int) -> Page | None:
        table, allowed, nx = self._root, RW | US, 0
        for level in reversed(range(self._levels)):
            shift = 12 + 9 * level
            index = address >> shift & 0x1FF
            entry = int.from_bytes(self._read_page(table)[8 * index : 8 * index + 8], "little")
            if not entry & P:
                return None
            allowed &= entry
            nx |= entry & NX
            if level == 0 or (level < 3 and entry & PS):
                inside = address & ((1 << shift) - 1)
                base = entry & ADDRESS & ~((1 << shift) - 1)
                return Page(base | inside, bool(allowed & RW), bool(allowed & US), not nx)
            table = entry & ADDRESS
        return None
