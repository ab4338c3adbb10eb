"""Where on the way of a trap an instruction lies: in a stub, in the entry, on the way back."""

from __future__ import annotations

import functools

import gdb

from .symbols import address

STUB_SIZE = 16
_END = "trap_entry_end"


def stub(vector: int) -> int:
    """Return the address of the first instruction of the stub of @vector."""
    return address("isr_0_DE") + vector * STUB_SIZE


def stub_vector(pc: int) -> int | None:
    """Return the vector whose stub holds @pc, or None."""
    vector = (pc - stub(0)) // STUB_SIZE
    return vector if 0 <= vector < 256 else None


@functools.cache
def _fixup() -> list[int]:
    """The addresses of the three instructions of .open_slot, and of the first behind."""
    start = address("trap_entry_code.open_slot")
    code = gdb.selected_inferior().architecture().disassemble(start, count=3)
    return [instruction["addr"] for instruction in code] + [code[-1]["addr"] + code[-1]["length"]]


def contains(pc: int) -> bool:
    """Whether @pc lies on the path: in a stub, in the entry or on the way back."""
    return stub_vector(pc) is not None or address("trap_entry_code") <= pc < address(_END)


def is_fixup(pc: int) -> bool:
    """Whether @pc is in .open_slot: no error code came where one was possible."""
    return _fixup()[0] <= pc < _fixup()[-1]


def is_settled(pc: int) -> bool:
    """Whether at @pc error code and vector lie where struct regs has them: not before, for a
    vector of which it is not yet decided whether its code came, and not during the fixup."""
    return address("trap_entry") <= pc < address(_END)


def is_code_zeroed(pc: int) -> bool:
    """Whether the fixup has come so far that both slots are in place."""
    return _fixup()[2] <= pc < _fixup()[-1]
