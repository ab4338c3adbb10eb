"""The source lines of a kernel that somebody else has built, by its DWARF."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from elf.symbols import binutil

ELF = b"\x7fELF"
LINKED = (2, 3)  # e_type of what is linked: ET_EXEC, ET_DYN
TEXT_LIMIT = 1 << 20  # bytes of a source: more is no source


class Lines:
    """Of one linked ELF file; of anything else there are none."""

    def __init__(self, files: list[str]) -> None:
        self._elf = files[0] if len(files) == 1 and _is_linked(Path(files[0])) else None
        self._root = Path("/")
        self._names: set[str] = set()

    def of(self, addresses: list[int]) -> dict[int, tuple[str, int]]:
        """File and line of each of @addresses that has one. A file's name is told from the directory
        that all have in common."""
        found = self._look_up(addresses) if self._elf and addresses else {}
        folders = {os.path.dirname(file) for file, _line in found.values()}
        self._root = Path(os.path.commonpath(folders)) if folders else self._root
        named = {a: (os.path.relpath(file, self._root), n) for a, (file, n) in found.items()}
        self._names = {file for file, _line in named.values()}
        return named

    def _look_up(self, addresses: list[int]) -> dict[int, tuple[str, int]]:
        command = [binutil("addr2line"), "-e", self._elf]
        words = "".join(f"{address:#x}\n" for address in addresses)
        done = subprocess.run(command, input=words, capture_output=True, text=True)
        found = {}
        for address, line in zip(addresses, done.stdout.splitlines()):
            file, _, number = line.partition(" ")[0].rpartition(":")
            if number.isdigit() and int(number) and file.startswith("/"):
                found[address] = _existing(os.path.normpath(file)), int(number)
        return found

    def texts(self) -> dict[str, str]:
        """The text of each file that is here."""
        files = {name: self._root / name for name in sorted(self._names)}
        return {
            name: file.read_text(errors="replace")
            for name, file in files.items()
            if file.is_file() and file.stat().st_size <= TEXT_LIMIT
        }


def _is_linked(file: Path) -> bool:
    head = file.read_bytes()[:18] if file.is_file() else b""
    return head[:4] == ELF and int.from_bytes(head[16:18], "little") in LINKED


def _existing(file: str) -> str:
    """@file, or what NASM means by it, which names the directory twice: /src/asm/asm/entry.asm."""
    folder, name = os.path.split(file)
    parts = folder.split("/")
    for size in range(1, len(parts) // 2 + 1):
        if parts[-size:] == parts[-2 * size : -size] and not os.path.exists(file):
            return "/".join([*parts[:-size], name])
    return file
