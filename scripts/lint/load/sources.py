"""From the command line to an image with its stubs."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lint.checks.finding import Finding
from lint.checks.gates import entries_of, parse_idt
from lint.checks.red_zone import check_red_zone
from lint.engine.disasm import Decoder
from lint.engine.trace import Entry
from lint.errors import CannotRun
from lint.load import names, system_calls
from lint.load.dwarf import Debug
from lint.load.elf import load_linked, open_elf
from lint.load.image import Image, Segment
from lint.load.objects import Linker
from lint.load.system_calls import SystemCalls


@dataclass
class Source:
    """An image, its stubs, and what is known of the machine around them."""

    name: str
    image: Image
    entries: list[Entry]
    findings: list[Finding] = field(default_factory=list)  # made while loading
    smap: bool | None = None
    ibt: bool = False
    selectors: tuple[int, int, int, int] | None = None
    calls: SystemCalls = field(default_factory=SystemCalls)


@contextmanager
def load(options: argparse.Namespace) -> Iterator[Source]:
    """Bring what @options name, or raise CannotRun. A machine is held as long as the block."""
    if options.boot or options.qmp:
        from lint.load.guest import load_guest  # which needs this module

        with load_guest(options) as source:
            yield source
    else:
        yield load_files(options)


def load_files(options: argparse.Namespace) -> Source:
    """Return what the files hold that @options name."""
    if not options.files and not options.memory:
        raise CannotRun("nothing to lint: name an ELF file, objects, --boot or --qmp; see --help")
    image = load_image(options.files)
    for piece in options.memory:
        image.segments.append(_raw(piece))
    image.seal()
    source = Source(image.name or "memory", image, [])
    source.calls = system_calls.find(image, options, None)
    if options.idt or options.idt_image:
        _gates_of_file(options, source)
    else:
        _find_stubs(options, source)
    source.findings += check_red_zone(image)
    return source


def load_image(paths: list[str]) -> Image:
    """Return the image of a linked kernel, or of objects linked together."""
    elves = [(path, open_elf(path)) for path in paths]
    objects = [path for path, elf in elves if elf["e_type"] == "ET_REL"]
    if not elves:
        return Image(name="")
    if len(objects) == len(elves):
        linker = Linker(", ".join(paths))
        for path, elf in elves:
            linker.add(path, elf)
        image = linker.link()
        image.debug = Debug(image, [elf for _, elf in elves], by_name=True)
        return image
    if len(elves) > 1:
        raise CannotRun("give either one linked kernel or several objects, not both")
    path, elf = elves[0]
    image = load_linked(path, elf)
    image.debug = Debug(image, [elf], by_name=False)
    return image


def _raw(piece: str) -> Segment:
    path, _, address = piece.rpartition("@")
    if not path or not re.fullmatch(r"(0x)?[0-9a-fA-F]+", address):
        raise CannotRun(f"--memory {piece}: expected FILE@ADDRESS")
    try:
        return Segment(int(address, 0 if address.startswith("0x") else 16), _bytes(path))
    except ValueError:
        raise CannotRun(f"--memory {piece}: expected FILE@ADDRESS") from None


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror}") from None


def _find_stubs(options: argparse.Namespace, source: Source) -> None:
    """Fill in the stubs by what the command line says, or else by their names."""
    entries: dict[int, Entry] = {}
    for pattern in options.pattern:
        text, _, first = pattern.partition("+")
        if first and not first.isdigit():
            raise CannotRun(f"--pattern {pattern}: after + comes a number")
        for entry in names.by_pattern(source.image, text, int(first or options.first)):
            entries[entry.vector] = entry
    if options.table:
        table = names.Table(options.table, options.stride, options.first, options.count)
        found, findings = table.read(source.image)
        entries.update((entry.vector, entry) for entry in found)
        source.findings += findings
    if not entries:
        entries = _by_names(source.image, sure=not (options.stub or source.calls.entries))
    for assignment in options.stub:
        entry = names.by_name(source.image, assignment)
        entries[entry.vector] = entry
    source.entries = [entries[vector] for vector in sorted(entries)]


def _by_names(image: Image, sure: bool) -> dict[int, Entry]:
    """Return the stubs that names give away; there must be one if @sure."""
    try:
        return {entry.vector: entry for entry in names.by_names(image, Decoder(image))}
    except CannotRun:
        if sure:
            raise
        return {}


def _gates_of_file(options: argparse.Namespace, source: Source) -> None:
    if options.idt_image:
        data = _bytes(options.idt_image)
    else:
        address = names.resolve(source.image, options.idt)
        data = source.image.read(address, 4096)
        if data is None:
            raise CannotRun(f"--idt {options.idt}: no memory is there")
    gates = parse_idt(data)
    source.entries, findings = entries_of(gates, source.image)
    source.findings += findings
