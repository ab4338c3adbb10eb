"""Reading a relocatable ELF object."""

from __future__ import annotations

from collections.abc import Iterator

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from lint.errors import CannotRun
from lint.load.elf import BROKEN, MEMORY_LIMIT, made_symbol, reason
from lint.load.relocatable import Fixup, Label, Relocatable, Section

SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4

# System V ABI, AMD64 supplement, table 4.9: how many bytes, and whether relative to the place.
ABSOLUTE = {1: 8, 10: 4, 11: 4, 12: 2, 14: 1}
RELATIVE = {2: 4, 4: 4, 13: 2, 15: 1, 24: 8}
THROUGH_GOT = {9, 41, 42}  # GOTPCREL, GOTPCRELX, REX_GOTPCRELX


def read_elf_object(path: str, elf: ELFFile) -> Relocatable:
    """Return the object at @path."""
    made = Relocatable(path)
    try:
        _read_sections(made, elf)
        for table in elf.iter_sections():
            if isinstance(table, SymbolTableSection):
                made.labels += [_label(made, symbol) for symbol in table.iter_symbols()
                                if symbol["st_info"]["type"] != "STT_SECTION"]  # fmt: skip
    except BROKEN as error:
        raise CannotRun(f"{path}: the object is broken ({reason(error)})") from None
    try:
        made.fixups = list(_fixups(made, elf))
    except BROKEN as error:
        raise CannotRun(f"{path}: a relocation is broken ({reason(error)})") from None
    return made


def _read_sections(made: Relocatable, elf: ELFFile) -> None:
    slim = False
    for index, section in enumerate(elf.iter_sections()):
        slim = slim or section.name.startswith(".gnu.lto_")
        flags = section["sh_flags"]
        if not flags & SHF_ALLOC or not section["sh_size"]:
            continue
        if section["sh_size"] > MEMORY_LIMIT or section["sh_addralign"] > MEMORY_LIMIT:
            raise CannotRun(f"{made.path}: section {section.name} has an absurd size")
        nobits = section["sh_type"] == "SHT_NOBITS"
        data = bytearray(section["sh_size"]) if nobits else bytearray(section.data())
        made.sections[index] = Section(
            data,
            max(section["sh_addralign"], 16),
            bool(flags & SHF_EXECINSTR),
            bool(flags & SHF_WRITE),
        )
    if slim and not any(section.executable for section in made.sections.values()):
        raise CannotRun(
            f"{made.path}: is an object of GCC's -flto, with no machine code in it yet: lint the"
            " linked kernel, or compile with -ffat-lto-objects"
        )


def _label(made: Relocatable, symbol: object) -> Label:
    index = symbol["st_shndx"]
    known = index in made.sections
    named = made_symbol(symbol, symbol["st_value"])
    return Label(
        symbol.name,
        index if known else None,
        symbol["st_value"],
        named.size,
        named.is_function,
        symbol["st_info"]["bind"] != "STB_LOCAL",
        index == "SHN_ABS",
    )


def _fixups(made: Relocatable, elf: ELFFile) -> Iterator[Fixup]:
    for section in elf.iter_sections("SHT_RELA"):
        place = section["sh_info"]
        if place not in made.sections:
            continue
        symbols = elf.get_section(section["sh_link"])
        for entry in section.iter_relocations():
            kind = entry["r_info_type"]
            size = 4 if kind in THROUGH_GOT else RELATIVE.get(kind, ABSOLUTE.get(kind))
            if size is None:
                continue  # thread-local or of a debugger's kind: no stub runs on it
            label = _label(made, symbols.get_symbol(entry["r_info_sym"]))
            yield Fixup(place, entry["r_offset"], label, entry["r_addend"], size,
                        kind not in ABSOLUTE, kind in THROUGH_GOT)  # fmt: skip
