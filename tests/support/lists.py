"""The lists that C and NASM share, kernel/*/*.def, as the tests see them."""

from __future__ import annotations

import re
from pathlib import Path

KERNEL = Path(__file__).parents[2] / "kernel"

VECTOR = re.compile(r'^VECTOR\((\d+), (\w+), "([^"]*)"', re.MULTILINE)
RFLAGS_BIT = re.compile(r"^CONSTANT\(RFLAGS_(\w+), 1 << (\d+)\)", re.MULTILINE)

EXCEPTIONS = 32  # vectors below it are the CPU's own

_VECTORS = VECTOR.findall((KERNEL / "trap" / "vectors.def").read_text())
MNEMONICS = {int(number): mnemonic for number, mnemonic, _ in _VECTORS}

# By the exceptions' short names: "#PF" is "#PF Page Fault".
TITLES = {f"#{m}": f"#{m} {name}" for number, m, name in _VECTORS if int(number) < EXCEPTIONS}

_X86 = (KERNEL / "cpu" / "x86.def").read_text()
RFLAGS = {name: 1 << int(bit) for name, bit in RFLAGS_BIT.findall(_X86)}
