"""The names of the catalogue's entries, as their sources have them."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The name, and the options on the same line.
ENTRY = re.compile(r'^\s*fault\s+[03],\s*"([a-z0-9-]+)",\s*"[^"]*"(.*)', re.MULTILINE)


def _found() -> list[tuple[str, str]]:
    """The entries in tests/faults/, and in the person's own FAULTS, with their options."""
    directories = [ROOT / "tests" / "faults"]
    if own := os.environ.get("FAULTS"):
        directories.append(Path(own))
    files = sorted(file for directory in directories for file in directory.glob("*.asm"))
    return [entry for file in files for entry in ENTRY.findall(file.read_text())]


def entries() -> list[str]:
    """Return the names of the entries."""
    return [name for name, _ in _found()]


def _options(name: str) -> str:
    """The options of the entry @name."""
    return next(options for found, options in _found() if found == name)


def is_fatal(name: str) -> bool:
    """Whether the machine must reset."""
    return bool(re.search(r"\bfatal\b", _options(name)))


def needs(name: str) -> str:
    """Return the feature of kernel/cpu/features.def that the entry needs, or ''."""
    match = re.search(r"\bneeds (\w+)", _options(name))
    return match[1] if match else ""
