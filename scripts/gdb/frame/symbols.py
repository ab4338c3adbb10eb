"""Addresses and names of the kernel's code."""

from __future__ import annotations

import functools

import gdb


@functools.cache
def address(name: str) -> int:
    """Return the address of the symbol @name, which may be a local label of NASM's."""
    return int(gdb.parse_and_eval(f"(unsigned long)&'{name}'"))


def name(pc: int) -> str:
    """Return "kmain+4", or the bare number where no symbol is near."""
    text = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    if " in section " not in text:
        return f"{pc:#x}"
    return text.partition(" in section ")[0].replace(" + ", "+")


def place(pc: int) -> str:
    """Return "stubs.asm:34" for code with a source line, else its name."""
    where = gdb.find_pc_line(pc)
    if where.symtab is None:
        return name(pc)
    return f"{where.symtab.filename.rpartition('/')[2]}:{where.line}"
