"""frame-picture: the stack at the current instruction."""

from __future__ import annotations

import gdb

from ..command import Command, say
from ..draw import stack
from ..frame import trap


class FramePicture(Command):
    """Draw the stack of the trap in progress, at this instruction.

    Each slot that exists so far, with its address, its value and who pushed it: the CPU,
    the stub, the entry, or the fixup, which opens the slot of an error code that did not
    come. General registers stand two a row. The last line is where RSP stands. In a handler,
    or after `up`, it is the trap that the selected frame belongs to."""

    name = "frame-picture"

    def run(self, argument: str) -> None:
        frame = gdb.selected_frame()
        found = trap.find(frame)
        if found is None:
            rsp = trap.register(frame, "rsp")
            say(f"No trap is in progress here. RSP is {rsp:#x}, mod 16 = {rsp % 16}.")
            say(f"If one came now within this ring, the CPU would push from {rsp & ~15:#x} down.")
            return
        for line in stack.headline(found) + stack.draw(found):
            say(line)
        if not trap.on_path(frame):
            say(f"  below it the stack of C, which runs now: RSP {trap.register(frame, 'rsp'):#x}")


FramePicture()
