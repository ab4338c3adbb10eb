"""From the command line to an image with its stubs."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lint.checks.finding import Finding
from lint.checks.gates import entries_of, parse_idt
from lint.checks.red_zone import check_red_zone
from lint.engine.disasm import Decoder
from lint.engine.trace import Entry
from lint.errors import CannotRun
from lint.load import given, system_calls
from lint.load.discovery import candidates, discover
from lint.load.files import bytes_of, load_image
from lint.load.image import Image, Segment
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
    guesses: dict[int, int] = field(default_factory=dict)  # vectors of unlinted code by address
    has_idt: bool = False  # whether the gates say which stubs there are


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


def _raw(piece: str) -> Segment:
    path, _, address = piece.rpartition("@")
    if not path or not re.fullmatch(r"(0x)?[0-9a-fA-F]+", address):
        raise CannotRun(f"--memory {piece}: expected FILE@ADDRESS")
    try:
        return Segment(int(address, 0 if address.startswith("0x") else 16), bytes_of(path))
    except ValueError:
        raise CannotRun(f"--memory {piece}: expected FILE@ADDRESS") from None


def _find_stubs(options: argparse.Namespace, source: Source) -> None:
    """Fill in the stubs by what the command line says, or else by their names."""
    entries: dict[int, Entry] = {}
    for pattern in options.pattern:
        text, _, first = pattern.partition("+")
        if first and not first.isdigit():
            raise CannotRun(f"--pattern {pattern}: after + comes a number")
        for entry in given.by_pattern(source.image, text, int(first or options.first)):
            entries[entry.vector] = entry
    if options.table:
        table = given.Table(options.table, options.stride, options.first, options.count)
        found, findings = table.read(source.image)
        entries.update((entry.vector, entry) for entry in found)
        source.findings += findings
    if not entries:
        entries = _discovered(source, needed=not (options.stub or source.calls.entries))
    for assignment in options.stub:
        entry = given.by_name(source.image, assignment)
        entries[entry.vector] = entry
    source.entries = [entries[vector] for vector in sorted(entries)]


def _discovered(source: Source, needed: bool) -> dict[int, Entry]:
    """Return the stubs that can be found without a word; there must be one if @needed."""
    decoder = Decoder(source.image)
    found = discover(source.image, decoder)
    source.findings += found.findings
    source.guesses = found.guesses
    if needed and not found.entries:
        rest = candidates(source.image, decoder, found.guesses)
        raise CannotRun(
            f"{source.name}: no interrupt stub was found. Say where they are: --pattern isr%d,"
            " --table SYMBOL (of pointers), --table SYMBOL --stride BYTES (of the stubs), or"
            " lint the running kernel with --boot ISO"
            + (f". These return by IRETQ: {rest}" if rest else "")
        )
    return found.entries


def _gates_of_file(options: argparse.Namespace, source: Source) -> None:
    if options.idt_image:
        data = bytes_of(options.idt_image)
    else:
        address = given.resolve(source.image, options.idt)
        data = source.image.read(address, 4096)
        if data is None:
            raise CannotRun(f"--idt {options.idt}: no memory is there")
    gates = parse_idt(data)
    source.entries, findings = entries_of(gates, source.image)
    source.has_idt = True
    source.findings += findings
