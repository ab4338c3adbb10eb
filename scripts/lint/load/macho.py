"""Reading Mach-O objects and executables of x86-64: Apple's format, as <mach-o/loader.h> and
<mach-o/x86_64/reloc.h> define it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from lint.errors import CannotRun
from lint.load.elf import MEMORY_LIMIT
from lint.load.image import Image, Segment, Symbol
from lint.load.relocatable import Fixup, Label, Relocatable, Section

MAGIC = b"\xcf\xfa\xed\xfe"
FAT_MAGIC = b"\xca\xfe\xba\xbe"
X86_64 = 0x01000007
OBJECT, EXECUTABLE = 1, 2

HEADER = struct.Struct("<IIIIIII4x")
COMMAND = struct.Struct("<II")
SEGMENT = struct.Struct("<8x16sQQQQIIII")
SECTION = struct.Struct("<16s16sQQIIIII12x")
SYMBOL_TABLE = struct.Struct("<8xIIII")
SYMBOL = struct.Struct("<IBBHQ")
RELOCATION = struct.Struct("<iI")
LC_SYMTAB, LC_SEGMENT_64 = 0x2, 0x19

ZERO_FILLED = 1
INSTRUCTIONS, DEBUG = 0x80000400, 0x02000000
WRITE, EXECUTE = 2, 4  # protections

# n_type of a symbol.
DEBUGGER, IN_SECTION, ABSOLUTE, KIND, GLOBAL = 0xE0, 0x0E, 0x02, 0x0E, 0x01

UNSIGNED, SIGNED, BRANCH, GOT_LOAD, GOT = range(5)
BEYOND = {6: 1, 7: 2, 8: 4}  # SIGNED_1, _2, _4: bytes of the instruction after the place


@dataclass
class _Placed:
    """A section and where the file says that it lies."""

    address: int
    size: int
    flags: int
    relocations: int
    relocation_count: int
    section: Section


@dataclass
class _File:
    """What the load commands say."""

    path: str
    data: bytes
    kind: int = 0
    sections: list[_Placed] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def unpack(self, form: struct.Struct, at: int) -> tuple:
        try:
            return form.unpack_from(self.data, at)
        except struct.error:
            raise CannotRun(f"{self.path}: the Mach-O file is cut short") from None


def is_macho(data: bytes) -> bool:
    """Whether @data is a 64-bit Mach-O file's."""
    return data[:4] == MAGIC


def read_macho(path: str, data: bytes) -> Relocatable | Image:
    """Return the object or the executable that a file of @data holds."""
    file = _read(path, data)
    if file.kind == OBJECT:
        sections = {index: placed.section for index, placed in enumerate(file.sections)
                    if placed.size and not placed.flags & DEBUG}  # fmt: skip
        return Relocatable(path, sections, file.labels, list(_fixups(file, sections)))
    image = Image(name=path, segments=file.segments)
    for label in file.labels:
        if label.section is not None:
            address = file.sections[label.section].address + label.value
            image.symbols.append(Symbol(label.name, address))
    if not any(segment.executable for segment in image.segments):
        raise CannotRun(f"{path}: no segment of it is executable: is this the kernel?")
    return image.seal()


def _read(path: str, data: bytes) -> _File:
    file = _File(path, data)
    _, machine, _, file.kind, count, _, _ = file.unpack(HEADER, 0)
    if machine != X86_64:
        raise CannotRun(f"{path}: is for machine {machine:#x}; stublint knows x86-64 alone")
    if file.kind not in (OBJECT, EXECUTABLE):
        raise CannotRun(f"{path}: is neither a Mach-O object nor an executable")
    at = HEADER.size
    for _ in range(count):
        command, size = file.unpack(COMMAND, at)
        if command == LC_SEGMENT_64:
            _read_segment(file, at)
        elif command == LC_SYMTAB:
            _read_symbols(file, at)
        if size < COMMAND.size:
            raise CannotRun(f"{path}: a load command of the Mach-O file is broken")
        at += size
    return file


def _read_segment(file: _File, at: int) -> None:
    _, address, size, start, length, _, protection, count, _ = file.unpack(SEGMENT, at)
    if max(size, length) > MEMORY_LIMIT:
        raise CannotRun(f"{file.path}: a segment has an absurd size")
    if size and protection:
        data = bytearray(file.data[start : start + min(size, length)].ljust(size, b"\0"))
        file.segments.append(
            Segment(address, data, bool(protection & EXECUTE), bool(protection & WRITE))
        )
    for index in range(count):
        _read_section(file, at + SEGMENT.size + index * SECTION.size, protection)


def _read_section(file: _File, at: int, protection: int) -> None:
    _, name, address, size, start, align, relocations, count, flags = file.unpack(SECTION, at)
    if size > MEMORY_LIMIT or align > 20:
        raise CannotRun(f"{file.path}: a section has an absurd size")
    raw = b"" if flags & 0xFF == ZERO_FILLED else file.data[start : start + size]
    section = Section(
        bytearray(raw.ljust(size, b"\0")),
        1 << max(align, 4),
        bool(flags & INSTRUCTIONS),
        name.rstrip(b"\0") == b"__DATA",
    )
    file.sections.append(_Placed(address, size, flags, relocations, count, section))


def _read_symbols(file: _File, at: int) -> None:
    start, count, strings, length = file.unpack(SYMBOL_TABLE, at)
    names = file.data[strings : strings + length]
    for index in range(min(count, len(file.data))):
        name, kind, section, _, value = file.unpack(SYMBOL, start + index * SYMBOL.size)
        file.labels.append(_label(file, names[name:].split(b"\0", 1)[0], kind, section, value))


def _label(file: _File, name: bytes, kind: int, number: int, value: int) -> Label:
    """Return a symbol with the name that C has for it, without the underscore before."""
    section = number - 1 if kind & KIND == IN_SECTION and not kind & DEBUGGER else None
    if section is not None and not 0 <= section < len(file.sections):
        raise CannotRun(f"{file.path}: a symbol of the Mach-O file is in no section")
    offset = value - file.sections[section].address if section is not None else value
    return Label(
        name.decode("utf-8", "replace").removeprefix("_"),
        section,
        offset,
        is_global=bool(kind & GLOBAL),
        is_absolute=kind & KIND == ABSOLUTE,
    )


def _fixups(file: _File, sections: dict[int, Section]) -> Iterator[Fixup]:
    """Yield the relocations. Their addends are at their places."""
    for index in sections:
        placed = file.sections[index]
        for number in range(placed.relocation_count):
            at = placed.relocations + number * RELOCATION.size
            offset, word = file.unpack(RELOCATION, at)
            symbol, relative = word & 0xFFFFFF, bool(word >> 24 & 1)
            size, external, kind = 1 << (word >> 25 & 3), bool(word >> 27 & 1), word >> 28
            if kind not in (UNSIGNED, SIGNED, BRANCH, GOT_LOAD, GOT, *BEYOND):
                continue  # differences and thread-local variables: no stub runs on them
            data = placed.section.data[offset : offset + size]
            addend = int.from_bytes(data, "little", signed=True)
            end = size if relative else 0
            if external and symbol < len(file.labels):
                label = file.labels[symbol]
            elif not external and symbol - 1 in sections:
                label = Label("", symbol - 1)
                end += BEYOND.get(kind, 0)
                origin = placed.address + offset + end if relative else 0
                addend += origin - file.sections[symbol - 1].address
            else:
                continue
            yield Fixup(index, offset, label, addend - end, size, relative,
                        kind in (GOT_LOAD, GOT))  # fmt: skip
