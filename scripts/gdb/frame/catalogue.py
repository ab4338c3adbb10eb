"""The catalogue of tests/faults/ as the linker has collected it: struct fault and struct expectation
of kernel/faults/catalogue.h, read from the ELF file, so that names complete at any time."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gdb
from manuals import VECTORS, short
from names import fold, unknown

from . import symbols


@dataclass(frozen=True)
class Expectation:
    """What the architecture says must be seen of one trap."""

    vector: int
    rip: int
    flags: int
    error_code: int
    dr6: int

    def has(self, flag: str) -> bool:
        """Whether the flag of `enum expectation_flag` is set."""
        return bool(self.flags & int(gdb.parse_and_eval(flag)))


@dataclass(frozen=True)
class Fault:
    """An entry, with the first trap that it raises."""

    name: str
    summary: str
    ring: int
    code: int
    first: Expectation | None


@contextmanager
def _from_file() -> Iterator[None]:
    """Read what is constant from the ELF file instead of the machine's memory."""
    gdb.execute("set trust-readonly-sections on")
    try:
        yield
    finally:
        # Not for longer: at boot the kernel patches its own text.
        gdb.execute("set trust-readonly-sections off")


def _array(name: str) -> Iterator[gdb.Value]:
    """Yield what lies between the linker's @name_start and @name_end."""
    at = gdb.parse_and_eval(f"&{name}_start[0]")
    while int(at) < symbols.address(f"{name}_end"):
        yield at.dereference()
        at += 1


@functools.cache
def entries() -> dict[str, Fault]:
    """Return the entries by name."""
    first: dict[int, Expectation] = {}
    found = {}
    with _from_file():
        for value in _array("expectations"):
            numbers = [int(value[key]) for key in ("vector", "rip", "flags", "error_code", "dr6")]
            first.setdefault(int(value["fault"]), Expectation(*numbers))
        for value in _array("faults"):
            name = value["name"].string()
            summary, ring, code = value["summary"].string(), int(value["ring"]), int(value["code"])
            expected = first.get(int(value.address))
            found[name] = Fault(name, summary, ring, code, expected)
    return found


def find(name: str) -> Fault:
    """Return the entry called @name; say what there is otherwise."""
    if name in entries():
        return entries()[name]
    if not name:
        raise gdb.GdbError("Which fault? The Tab key lists them.")
    raise gdb.GdbError(fold(unknown("fault", name, entries(), "The Tab key lists them.")))


def _contains(fault: Fault, address: int) -> bool:
    """Whether @address lies in the code of @fault, or at one of its labels."""
    return re.split(r"[.+]", symbols.name(address))[0] == symbols.name(fault.code)


def _before(fault: Fault, address: int) -> int | None:
    """Return the instruction of @fault that ends at @address, or None."""
    if address <= fault.code or not _contains(fault, address):
        return None
    with _from_file():
        code = gdb.selected_inferior().architecture().disassemble(fault.code, address - 1)
    last = code[-1]
    return last["addr"] if last["addr"] + last["length"] == address else None


def _is_behind(expected: Expectation, last: str) -> bool:
    """Whether the saved RIP is behind the instruction that traps, which would be @last."""
    if last.split()[0] in ("int", "int3", "int1", "into", "icebp"):
        return True
    vector = VECTORS.get(expected.vector)
    return vector is None or vector.kind in ("TRAP", "INTERRUPT")


def _debug_trap(expected: Expectation, last: int, text: str) -> int | None:
    """Return the instruction that raises #DB, @last if any: for a single step and for data, the CPU
    traps behind it. QEMU passes by an instruction breakpoint of the guest's where GDB has one."""
    is_step = expected.dr6 & int(gdb.parse_and_eval("DR6_BS"))
    is_access = "[" in text or text.split()[0] in ("in", "out")
    return last if is_step or is_access else None


def trapping_instruction(fault: Fault) -> int | None:
    """Return where the instruction lies that raises the first trap of @fault, or None if its code
    does not tell: an interrupt comes anywhere, a jump can trap at its target, a call before it
    returns."""
    expected = fault.first
    if expected is None or expected.rip == 0:
        return None
    last = _before(fault, expected.rip)
    if last is None:
        return expected.rip if _contains(fault, expected.rip) else None
    with _from_file():
        text = gdb.selected_inferior().architecture().disassemble(last)[0]["asm"]
    if text.split()[0] == "call":
        return None
    if short(expected.vector) == "#DB" and text.split()[0] not in ("int", "int1", "icebp"):
        return _debug_trap(expected, last, text)
    return last if _is_behind(expected, text) else expected.rip
