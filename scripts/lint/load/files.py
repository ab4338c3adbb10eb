"""From files of any format to an Image: a linked kernel, or objects and archives of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from elftools.elf.elffile import ELFFile

from lint.errors import CannotRun, near
from lint.load import archive, coff, macho
from lint.load.dwarf import Debug
from lint.load.elf import load_linked, open_elf
from lint.load.elf_object import read_elf_object
from lint.load.image import Image
from lint.load.objects import Linker
from lint.load.relocatable import Relocatable

BITCODE = (b"BC\xc0\xde", b"\xde\xc0\x17\x0b")

Part = tuple[str, Relocatable | Image, ELFFile | None]


def load_image(paths: list[str]) -> Image:
    """Return the image of a linked kernel, or of objects linked together."""
    parts = [part for path in paths for part in _parts(path)]
    if not parts:
        return Image(name="")
    objects = [made for _, made, _ in parts if isinstance(made, Relocatable)]
    elves = [elf for _, _, elf in parts if elf is not None]
    if len(objects) == len(parts):
        linker = Linker(", ".join(paths))
        for made in objects:
            linker.add(made)
        image = linker.link()
        image.debug = Debug(image, elves, by_name=True)
        return image
    if len(parts) > 1:
        raise CannotRun("give either one linked kernel or several objects, not both")
    image = parts[0][1]
    image.debug = Debug(image, elves, by_name=False)
    return image


def _parts(path: str) -> Iterator[Part]:
    """Yield what the file at @path holds: one part, or those of an archive."""
    data = bytes_of(path)
    if not archive.is_archive(data):
        yield _part(path, data)
        return
    count = 0
    for name, content in archive.members(path, data):
        count += 1
        yield _part(name, content)
    if not count:
        raise CannotRun(f"{path}: is an archive without any object in it")


def _part(path: str, data: bytes) -> Part:
    if data[:4] == b"\x7fELF":
        elf = open_elf(path, data)
        if elf["e_type"] == "ET_REL":
            return path, read_elf_object(path, elf), elf
        return path, load_linked(path, elf), elf
    if data[:2] == b"MZ":
        return path, coff.load_pe(path, data), None
    if macho.is_macho(data):
        return path, macho.read_macho(path, data), None
    if coff.is_coff(data):
        return path, coff.read_coff_object(path, data), None
    raise CannotRun(f"{path}: {what_it_is(data)}")


def bytes_of(path: str) -> bytes:
    """Return the content of the file at @path."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        folder = Path(path).parent
        there = {str(folder / name) for name in os.listdir(folder)} if folder.is_dir() else ()
        raise CannotRun(f"{path}: {error.strerror}{near(path, there)}") from None
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror}") from None


def what_it_is(data: bytes) -> str:
    """Return in words what a file of @data is, which cannot be read, and what to do."""
    if not data:
        return "is empty"
    if data[:4] in BITCODE:
        return (
            "is LLVM bitcode (of -flto or -emit-llvm), with no machine code in it yet: lint the"
            " linked kernel, or what `llc -filetype=obj FILE -o FILE.o` (package llvm) makes of it"
        )
    if data[:4] == macho.FAT_MAGIC:
        return "is a Mach-O file for several machines: `lipo -thin x86_64 FILE -output FILE.x86_64`"
    if data[0x8001:0x8006] == b"CD001":
        return "is an ISO image: boot it with --boot"
    return (
        "is not an ELF, PE, COFF or Mach-O file; raw memory is linted by --memory FILE@ADDRESS"
    )
