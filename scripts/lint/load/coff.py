"""Reading COFF objects and PE images, the formats of MSVC, of Clang for Windows and UEFI, and of
NASM's win64: "PE Format" in Microsoft's documentation."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lint.errors import CannotRun
from lint.load.elf import MEMORY_LIMIT
from lint.load.image import Image, Segment, Symbol
from lint.load.relocatable import Fixup, Label, Relocatable, Section

AMD64 = 0x8664
PE32_PLUS = 0x20B
FILE_HEADER = struct.Struct("<HHIIIHH")
SECTION_HEADER = struct.Struct("<8sIIIIIIHHI")
SYMBOL = struct.Struct("<8sIhHBB")
RELOCATION = struct.Struct("<IIH")

# Section flags: PE format, "Section Flags".
UNINITIALIZED, INFO, REMOVE = 0x80, 0x200, 0x800
MORE_RELOCATIONS, DISCARDABLE, EXECUTE, WRITE = 0x01000000, 0x02000000, 0x20000000, 0x80000000

EXTERNAL, STATIC, LABEL = 2, 3, 6  # storage classes of symbols
FUNCTION = 0x20
ABSOLUTE_SECTION = -1

# PE format, "Type Indicators", x64: how many bytes; and of those relative to the end of the
# instruction, how far that is from the place.
ADDRESSES = {1: 8, 2: 4}
DISTANCES = {4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9}


@dataclass
class _Header:
    """One section's header."""

    virtual_size: int
    address: int
    size: int
    data: int
    relocations: int
    relocation_count: int
    flags: int


def is_coff(data: bytes) -> bool:
    """Whether a file of @data begins as an object for x86-64 does."""
    if len(data) < FILE_HEADER.size:
        return False
    machine, sections, _, symbols, _, optional, _ = FILE_HEADER.unpack_from(data)
    return machine == AMD64 and sections > 0 and optional == 0 and symbols <= len(data)


class Coff:
    """The common parts of objects and images."""

    def __init__(self, path: str, data: bytes, start: int = 0) -> None:
        """@start is where the file header is."""
        self.path = path
        self._data = data
        machine, count, _, symbols, symbol_count, optional, _ = self._unpack(FILE_HEADER, start)
        if machine != AMD64:
            raise CannotRun(f"{path}: is for machine {machine:#x}; stublint knows x86-64 alone")
        self.optional = start + FILE_HEADER.size
        at = self.optional + optional
        self._headers = [
            self._header(at + index * SECTION_HEADER.size) for index in range(count)
        ]
        self._symbols = symbols, symbol_count

    def image_base(self) -> int:
        """Return where the image wants to be loaded."""
        magic, base = self._unpack(struct.Struct("<H22xQ"), self.optional)
        if magic != PE32_PLUS:
            raise CannotRun(f"{self.path}: is a 32-bit PE file")
        return base

    def _unpack(self, form: struct.Struct, at: int) -> tuple:
        try:
            return form.unpack_from(self._data, at)
        except struct.error:
            raise CannotRun(f"{self.path}: the PE or COFF file is cut short") from None

    def _header(self, at: int) -> _Header:
        _, virtual, address, size, data, relocations, _, count, _, flags = self._unpack(
            SECTION_HEADER, at
        )
        if max(virtual, size) > MEMORY_LIMIT:
            raise CannotRun(f"{self.path}: a section has an absurd size")
        return _Header(virtual, address, size, data, relocations, count, flags)

    def _content(self, header: _Header, size: int) -> bytearray:
        raw = b"" if header.flags & UNINITIALIZED else (
            self._data[header.data : header.data + min(header.size, size)]
        )
        return bytearray(raw.ljust(size, b"\0"))

    def labels(self) -> dict[int, Label]:
        """Return the symbols by their index."""
        start, count = self._symbols
        strings = start + count * SYMBOL.size
        found, index = {}, 0
        while start and index < count:
            name, value, section, kind, storage, more = self._unpack(
                SYMBOL, start + index * SYMBOL.size
            )
            if storage in (EXTERNAL, STATIC, LABEL):
                found[index] = Label(
                    self._name(name, strings),
                    section - 1 if section > 0 else None,
                    value,
                    0,
                    kind == FUNCTION,
                    storage == EXTERNAL,
                    section == ABSOLUTE_SECTION,
                )
            index += 1 + more
        return found

    def _name(self, name: bytes, strings: int) -> str:
        zeros, offset = struct.unpack("<II", name)
        if zeros == 0:
            end = self._data.find(b"\0", strings + offset)
            name = self._data[strings + offset : end if end >= 0 else None]
        return name.rstrip(b"\0").decode("utf-8", "replace")

    def sections(self) -> dict[int, Section]:
        """Return those that a linker would place."""
        return {
            index: Section(
                self._content(header, header.size),
                1 << max((header.flags >> 20 & 15) - 1, 4),
                bool(header.flags & EXECUTE),
                bool(header.flags & WRITE),
            )
            for index, header in enumerate(self._headers)
            if header.size and not header.flags & (INFO | REMOVE | DISCARDABLE)
        }

    def fixups(self, sections: dict[int, Section], labels: dict[int, Label]) -> Iterator[Fixup]:
        """Yield the relocations. Their addends are at their places."""
        for index, section in sections.items():
            header = self._headers[index]
            at, count = header.relocations, header.relocation_count
            if header.flags & MORE_RELOCATIONS:
                count = self._unpack(RELOCATION, at)[0]
            for number in range(count):
                offset, symbol, kind = self._unpack(RELOCATION, at + number * RELOCATION.size)
                size = ADDRESSES.get(kind, 4 if kind in DISTANCES else 0)
                if not size or symbol not in labels:
                    continue  # relative to the image or to a section: for debuggers and unwinding
                addend = int.from_bytes(section.data[offset : offset + size], "little", signed=True)
                addend -= DISTANCES.get(kind, 0)
                yield Fixup(index, offset, labels[symbol], addend, size, kind in DISTANCES)

    def load(self, image: Image, base: int) -> None:
        """Add memory and symbols of an image at @base."""
        for header in self._headers:
            if header.flags & (DISCARDABLE | INFO | REMOVE):
                continue
            size = header.virtual_size or header.size
            if size:
                data = self._content(header, size)
                executable, writable = bool(header.flags & EXECUTE), bool(header.flags & WRITE)
                image.segments.append(
                    Segment(base + header.address, data, executable, writable)
                )
        for label in self.labels().values():
            if label.section is not None and label.section < len(self._headers) and label.name:
                address = base + self._headers[label.section].address + label.value
                if not label.name.startswith("."):
                    image.symbols.append(Symbol(label.name, address, 0, label.is_function))


def read_coff_object(path: str, data: bytes) -> Relocatable:
    """Return the object that a file of @data holds."""
    coff = Coff(path, data)
    labels, sections = coff.labels(), coff.sections()
    known = {
        index: label
        for index, label in labels.items()
        if label.section is None or label.section in sections
    }
    named = [label for label in known.values() if not label.name.startswith(".")]
    return Relocatable(path, sections, named, list(coff.fixups(sections, known)))


def load_pe(path: str, data: bytes) -> Image:
    """Return the memory and the symbols of a PE image, at the address that it is linked for."""
    start = int.from_bytes(data[0x3C:0x40], "little")
    if data[start : start + 4] != b"PE\0\0":
        raise CannotRun(f"{path}: is a DOS program, and no PE file of 64-bit code")
    coff, image = Coff(path, data, start + 4), Image(name=path)
    coff.load(image, coff.image_base())
    if not any(segment.executable for segment in image.segments):
        raise CannotRun(f"{path}: no section of it is executable: is this the kernel?")
    return image.seal()
