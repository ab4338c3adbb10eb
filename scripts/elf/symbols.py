"""The kernel's ELF symbols, and the tools that read its ELF file."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass


@dataclass
class Symbol:
    """What the symbol table says of one name."""

    address: int
    size: int
    kind: str


def binutil(name: str) -> str:
    """Return the tool called @name that knows x86-64, which the host's own may not."""
    prefixes = ("x86_64-elf-", "x86_64-linux-gnu-", "")
    return next(filter(shutil.which, (prefix + name for prefix in prefixes)), name)


def load(elf: str) -> dict[str, Symbol]:
    """Return the symbols of the file @elf by name."""
    command = [binutil("readelf"), "-sW", elf]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 8 and words[0].rstrip(":").isdigit():
            found[words[7]] = Symbol(int(words[1], 16), int(words[2], 0), words[3])
    return found
