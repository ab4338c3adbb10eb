"""tell: words for the kernel's monitor."""

from __future__ import annotations

from .. import execution
from ..command import Command
from ..frame.symbols import address
from ..serial_line import SERIAL


class Tell(Command):
    """Type at the kernel's prompt, and run to its answer: tell WORDS.

    For example `tell help`, or `tell raise bp-int3; frame`. What the kernel says is shown
    with a bar in front. A stopped kernel first runs on to its prompt."""

    name = "tell"

    def run(self, argument: str) -> None:
        SERIAL.require_input()
        execution.type_at_prompt(argument)
        execution.run_to(address("line_read"))


Tell()
