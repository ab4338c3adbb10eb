"""The symbols of an ELF file, and the tools that read one."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


# Kinds of symbols that name no place in the program.
NOT_NAMES = {"FILE", "SECTION"}


@dataclass
class Symbol:
    """What the symbol table says of one name."""

    address: int
    size: int
    kind: str

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size


def binutil(name: str) -> str:
    """Return the tool called @name that knows x86-64, which the host's own may not."""
    prefixes = ("x86_64-elf-", "x86_64-linux-gnu-", "")
    return next(filter(shutil.which, (prefix + name for prefix in prefixes)), name)


def load(elf: str | Path) -> dict[str, Symbol]:
    """Return the symbols of the file @elf by name; of a name that several files have, the last."""
    return dict(every(elf))


def every(elf: str | Path) -> list[tuple[str, Symbol]]:
    """Return all symbols of the file @elf with their names."""
    command = [binutil("readelf"), "-sW", str(elf)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 8 and words[0].rstrip(":").isdigit() and words[3] not in NOT_NAMES:
            symbol = Symbol(int(words[1], 16), int(words[2], 0), words[3])
            found.append((words[7], symbol))
    return found
