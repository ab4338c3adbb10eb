"""What GDB knows of Barestub: its settings, the display of frames, and the commands."""

from contextlib import suppress

import gdb

for setting in (
    "confirm off",
    "disassembly-flavor intel",
    "pagination off",
    "print pretty on",
    "print inferior-events off",
    "print entry-values no",
    "print elements 40",
    "print asm-demangle off",
    "demangle-style none",  # else fault_de_div_zero.here is shown as C++
):
    gdb.execute(f"set {setting}")
# From version 17 on GDB begins each error with an emoji, for which our folded lines have no room.
with suppress(gdb.error):
    gdb.execute("set style emoji off")

from . import session  # noqa: E402, F401
from .commands import (  # noqa: E402, F401
    frame_picture,
    idt,
    raise_fault,
    regs_of_trap,
    step_stub,
    tell,
    traps,
    walk,
)
from .frame import frames, ring3  # noqa: E402, F401
