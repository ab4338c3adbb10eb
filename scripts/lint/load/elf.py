"""Reading a linked ELF kernel into an Image."""

from __future__ import annotations

import io

from elftools.common.exceptions import DWARFError, ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from lint.errors import CannotRun
from lint.load.image import Image, Segment, Symbol

PF_X, PF_W = 1, 2
R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT, R_X86_64_RELATIVE = 1, 6, 7, 8
DT_RELA, DT_RELASZ = "DT_RELA", "DT_RELASZ"

# A kernel's memory is copied into the emulator; more than this is a broken header.
MEMORY_LIMIT = 1 << 28

# What pyelftools raises, wherever a broken file leads it.
BROKEN = (
    ELFError,
    DWARFError,
    ConstructError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    UnicodeDecodeError,
    MemoryError,
    RecursionError,
    OSError,
)


def open_elf(path: str, data: bytes) -> ELFFile:
    """Return the ELF file with @data that was at @path, or raise CannotRun with what is wrong with
    it."""
    try:
        elf = ELFFile(io.BytesIO(data))
        machine, kind = elf["e_machine"], elf["e_type"]
        little = elf.little_endian
    except BROKEN as error:
        raise CannotRun(f"{path}: the ELF header is broken ({reason(error)})") from None
    if machine not in ("EM_X86_64", "EM_386") or not little:
        raise CannotRun(f"{path}: is for {machine}; stublint knows x86-64 alone")
    if elf.elfclass == 32 and machine == "EM_386":
        raise CannotRun(
            f"{path}: is a 32-bit file. 64-bit code that objcopy -O elf32-i386 has put into such a"
            " file is linted from the ELF before objcopy"
        )
    if kind not in ("ET_REL", "ET_EXEC", "ET_DYN"):
        raise CannotRun(f"{path}: is neither a linked kernel nor an object file ({kind})")
    return elf


def reason(error: BaseException) -> str:
    """Return one line that says what pyelftools found."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def load_linked(path: str, elf: ELFFile) -> Image:
    """Return the memory and the symbols of a linked kernel."""
    image = Image(name=path)
    try:
        _load_segments(image, elf)
        _relocate(image, elf)
        _load_symbols(image, elf)
    except BROKEN as error:
        raise CannotRun(f"{path}: the ELF file is broken ({reason(error)})") from None
    if not any(segment.executable for segment in image.segments):
        raise CannotRun(f"{path}: no segment of it is executable: is this the kernel?")
    return image.seal()


def _load_segments(image: Image, elf: ELFFile) -> None:
    total = 0
    for header in elf.iter_segments():
        if header["p_type"] != "PT_LOAD" or not header["p_memsz"]:
            continue
        total += header["p_memsz"]
        if total > MEMORY_LIMIT or header["p_vaddr"] + header["p_memsz"] > 1 << 64:
            raise CannotRun(f"{image.name}: the program headers ask for absurd addresses or sizes")
        if header["p_filesz"] > header["p_memsz"]:
            raise CannotRun(f"{image.name}: a segment is larger in the file than in memory")
        data = header.data()
        if len(data) != header["p_filesz"]:
            raise CannotRun(f"{image.name}: the file is cut short: a segment reaches past its end")
        data = bytearray(data.ljust(header["p_memsz"], b"\0"))
        flags = header["p_flags"]
        image.segments.append(
            Segment(header["p_vaddr"], data, bool(flags & PF_X), bool(flags & PF_W))
        )


def _relocate(image: Image, elf: ELFFile) -> None:
    """Apply the relocations of a position-independent kernel, which is loaded at address 0."""
    if elf["e_type"] != "ET_DYN":
        return
    image.seal()
    for section in elf.iter_sections("SHT_RELA"):
        if not section["sh_flags"] & 2:  # SHF_ALLOC: for the loader, not for the linker
            continue
        symbols = elf.get_section(section["sh_link"])
        for entry in section.iter_relocations():
            kind, value = entry["r_info_type"], entry["r_addend"]
            if kind in (R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT):
                value += symbols.get_symbol(entry["r_info_sym"])["st_value"]
            elif kind != R_X86_64_RELATIVE:
                continue
            segment = image.segment_at(entry["r_offset"])
            if segment is not None:
                at = entry["r_offset"] - segment.address
                segment.data[at : at + 8] = (value % (1 << 64)).to_bytes(8, "little")


def _load_symbols(image: Image, elf: ELFFile) -> None:
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection) or section["sh_type"] != "SHT_SYMTAB":
            continue
        for symbol in section.iter_symbols():
            kind = symbol["st_info"]["type"]
            if not is_name(symbol.name) or symbol["st_shndx"] in ("SHN_UNDEF", "SHN_ABS"):
                continue
            if kind in ("STT_NOTYPE", "STT_FUNC", "STT_OBJECT"):
                image.symbols.append(made_symbol(symbol, symbol["st_value"]))


def is_name(name: str) -> bool:
    """Whether @name is a symbol's that people know, and not one that NASM made up in a macro."""
    return bool(name) and not name.startswith("..@")


def made_symbol(symbol: object, address: int) -> Symbol:
    """Return an ELF @symbol that lies at @address. NASM's debug information gives every label
    the size 1, which is none."""
    is_function = symbol["st_info"]["type"] == "STT_FUNC"
    size = symbol["st_size"] if is_function or symbol["st_size"] > 1 else 0
    return Symbol(symbol.name, address, size, is_function)
