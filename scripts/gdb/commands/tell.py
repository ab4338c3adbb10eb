"""tell: words for the kernel's monitor."""

from __future__ import annotations

from . import machine
from .command import Command
from .serial_line import SERIAL
from .symbols import address


class Tell(Command):
    """Type at the kernel's prompt, and run to its answer: tell WORDS.

    For example `tell help`, or `tell raise bp-int3; frame`. What the kernel says is shown
    with a bar in front. A stopped kernel first runs on to its prompt."""

    name = "tell"

    def run(self, argument: str) -> None:
        SERIAL.require_input()
        machine.type_at_prompt(argument)
        machine.run_to(address("line_read"))


Tell()
