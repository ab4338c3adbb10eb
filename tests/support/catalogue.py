"""The catalogue's entries, as their sources have them."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

ENTRY = re.compile(
    r'^ *fault +(?P<ring>[03]), *"(?P<name>[a-z0-9-]+)", *"(?P<summary>[^"]*)"(?P<options>.*)',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Entry:
    """A `fault` line, and what stands below it up to the next one."""

    name: str
    ring: int
    summary: str
    options: str
    file: Path
    text: str


@functools.cache  # a thousand tests ask
def found() -> tuple[Entry, ...]:
    """Return the entries in tests/faults/, and in the person's own FAULTS."""
    directories = [ROOT / "tests" / "faults"]
    if own := os.environ.get("FAULTS"):
        directories.append(Path(own))
    files = sorted(file for directory in directories for file in directory.glob("*.asm"))
    return tuple(entry for file in files for entry in _entries_of(file))


def _entries_of(file: Path) -> list[Entry]:
    text = file.read_text()
    matches = list(ENTRY.finditer(text))
    ends = [match.start() for match in matches[1:]] + [len(text)]
    return [
        Entry(m["name"], int(m["ring"]), m["summary"], m["options"], file, text[m.start() : end])
        for m, end in zip(matches, ends)
    ]


def entries() -> list[str]:
    """Return the names of the entries."""
    return [entry.name for entry in found()]


def _options(name: str) -> str:
    """The options of the entry @name."""
    return next(entry.options for entry in found() if entry.name == name)


def is_own(name: str) -> bool:
    """Whether the entry is a person's own, whose file itself says how emulators deviate."""
    return any(e.name == name and e.file.parent != ROOT / "tests" / "faults" for e in found())


def is_fatal(name: str) -> bool:
    """Whether the machine must reset."""
    return bool(re.search(r"\bfatal\b", _options(name)))


def needs(name: str) -> str:
    """Return the feature of kernel/cpu/features.def that the entry needs, or ''."""
    match = re.search(r"\bneeds (\w+)", _options(name))
    return match[1] if match else ""
