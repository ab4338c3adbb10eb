"""Linking relocatable objects into an Image, just enough to run their stubs.

Every section that the kernel would load gets an address; what no object defines becomes the C
boundary: an address without memory, by which a call to it is recognised.
"""

from __future__ import annotations

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from lint.errors import CannotRun
from lint.load.elf import BROKEN, MEMORY_LIMIT, is_name, made_symbol, reason
from lint.load.image import Image, Segment

# Low, so that 32-bit relocations of either sign can reach it.
BASE = 0x1000000
EXTERN_BASE = 0x40000000
EXTERN_SIZE = 16

SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4

# System V ABI, AMD64 supplement, table 4.9: how many bytes, and whether relative to the place.
ABSOLUTE = {1: 8, 10: 4, 11: 4, 12: 2, 14: 1}
RELATIVE = {2: 4, 4: 4, 13: 2, 15: 1, 24: 8}
THROUGH_GOT = {9, 41, 42}  # GOTPCREL, GOTPCRELX, REX_GOTPCRELX


class Linker:
    """Places the sections of all objects and resolves their symbols."""

    def __init__(self, name: str) -> None:
        self.image = Image(name=name)
        self._next = BASE
        self._objects: list[tuple[str, ELFFile, dict[int, Segment]]] = []
        self._globals: dict[str, int] = {}
        self._externs: dict[str, int] = {}
        self._got: dict[int, int] = {}
        self._got_segment = Segment(EXTERN_BASE - 0x100000, bytearray(), False, True)

    def add(self, path: str, elf: ELFFile) -> None:
        """Place the sections of one object and note its global symbols."""
        try:
            self._place(path, elf)
            self._define(path, elf)
        except BROKEN as error:
            raise CannotRun(f"{path}: the object is broken ({reason(error)})") from None

    def link(self) -> Image:
        """Apply the relocations and return the image."""
        for path, elf, sections in self._objects:
            try:
                self._relocate(elf, sections)
            except BROKEN as error:
                raise CannotRun(f"{path}: a relocation is broken ({reason(error)})") from None
        if self._got:
            self.image.segments.append(self._got_segment)
        self.image.externs = {address: name for name, address in self._externs.items()}
        return self.image.seal()

    def _place(self, path: str, elf: ELFFile) -> None:
        sections: dict[int, Segment] = {}
        self._objects.append((path, elf, sections))
        for index, section in enumerate(elf.iter_sections()):
            if not section["sh_flags"] & SHF_ALLOC or not section["sh_size"]:
                continue
            if section["sh_size"] > MEMORY_LIMIT or section["sh_addralign"] > MEMORY_LIMIT:
                raise CannotRun(f"{path}: section {section.name} has an absurd size")
            align = max(section["sh_addralign"], 16)
            self._next = (self._next + align - 1) // align * align
            nobits = section["sh_type"] == "SHT_NOBITS"
            data = bytearray(section["sh_size"]) if nobits else bytearray(section.data())
            flags = section["sh_flags"]
            segment = Segment(
                self._next, data, bool(flags & SHF_EXECINSTR), bool(flags & SHF_WRITE)
            )
            sections[index] = segment
            self.image.segments.append(segment)
            self._next = segment.end

    def _define(self, path: str, elf: ELFFile) -> None:
        _, _, sections = self._objects[-1]
        for table in elf.iter_sections():
            if not isinstance(table, SymbolTableSection):
                continue
            for symbol in table.iter_symbols():
                segment = sections.get(symbol["st_shndx"])
                kind = symbol["st_info"]["type"]
                if segment is None or not is_name(symbol.name) or kind == "STT_SECTION":
                    continue
                address = segment.address + symbol["st_value"]
                if symbol["st_info"]["bind"] != "STB_LOCAL":
                    self._globals[symbol.name] = address
                self.image.symbols.append(made_symbol(symbol, address))

    def _value(self, symbol: object, sections: dict[int, Segment]) -> int:
        """Return the address that @symbol has, making up one for what nobody defines."""
        index = symbol["st_shndx"]
        if index == "SHN_ABS":
            return symbol["st_value"]
        if index in sections:
            return sections[index].address + symbol["st_value"]
        name = symbol.name
        if name in self._globals:
            return self._globals[name]
        if name not in self._externs:
            self._externs[name] = EXTERN_BASE + len(self._externs) * EXTERN_SIZE
        return self._externs[name]

    def _got_slot(self, value: int) -> int:
        if value not in self._got:
            self._got[value] = self._got_segment.end
            self._got_segment.data += value.to_bytes(8, "little")
        return self._got[value]

    def _relocate(self, elf: ELFFile, sections: dict[int, Segment]) -> None:
        for section in elf.iter_sections("SHT_RELA"):
            segment = sections.get(section["sh_info"])
            if segment is None:
                continue
            symbols = elf.get_section(section["sh_link"])
            for entry in section.iter_relocations():
                symbol = symbols.get_symbol(entry["r_info_sym"])
                self._apply(segment, entry, self._value(symbol, sections))

    def _apply(self, segment: Segment, entry: object, value: int) -> None:
        kind, offset = entry["r_info_type"], entry["r_offset"]
        place = segment.address + offset
        if kind in THROUGH_GOT:
            value, size, origin = self._got_slot(value), 4, place
        elif kind in RELATIVE:
            size, origin = RELATIVE[kind], place
        elif kind in ABSOLUTE:
            size, origin = ABSOLUTE[kind], 0
        else:
            return  # thread-local or of a debugger's kind: no stub runs on it
        if offset + size > len(segment.data):
            raise ValueError(f"it writes past the end of its section, at {offset:#x}")
        result = (value + entry["r_addend"] - origin) % (1 << (8 * size))
        segment.data[offset : offset + size] = result.to_bytes(size, "little")
