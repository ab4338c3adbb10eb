"""What the tests want of the lists that C and NASM share, kernel/*/*.def."""

from __future__ import annotations

from manuals import CONSTANTS, VECTORS

EXCEPTIONS = 32  # vectors below it are the CPU's own

MNEMONICS = {vector.number: vector.mnemonic for vector in VECTORS.values()}

# By the exceptions' short names: "#PF" is "#PF Page Fault".
TITLES = {
    f"#{vector.mnemonic}": f"#{vector.mnemonic} {vector.name}"
    for vector in VECTORS.values()
    if vector.number < EXCEPTIONS
}

# Bits by name, and not IOPL, which is a field of two.
RFLAGS = {
    name.removeprefix("RFLAGS_"): value
    for name, value in CONSTANTS.items()
    if name.startswith("RFLAGS_") and value.bit_count() == 1
}
