"""step-stub: from the first instruction of a stub on, with the picture at each step."""

from __future__ import annotations

from typing import NoReturn

import gdb
from manuals import VECTORS, title, vector_of
from names import did_you_mean, fold

from .. import execution
from ..command import Command, say
from ..draw import stack, steps
from ..draw.steps import Moment
from ..frame import catalogue, path, trap
from ..frame.frames import STOPS, location
from . import raise_fault


class _Session:
    """The steps through one trap: the stop hook shows each of them."""

    def __init__(self, argument: str) -> None:
        self.argument = argument
        self.before = Moment.now()
        self.trap = self.before.trap
        STOPS.show = self.show

    def end(self) -> None:
        STOPS.show = location

    def show(self, frame: gdb.Frame) -> str:
        """Return what is shown at a stop on the path, instead of the location alone."""
        after = Moment.now()
        if (after.trap.top, after.trap.vector) != (self.trap.top, self.trap.vector):
            return location(frame)
        lines = []
        if steps.is_next(self.before, after):
            did = steps.effect(self.before, after) or "no change"
            lines.append(f"{stack.instruction(self.before.pc)}: {did}")
        self.before = after
        lines += stack.draw(after.trap)
        return "\n".join(lines) + "\n" + location(frame)


class StepStub(Command):
    """Run to a stub at its next trap and show each step: step-stub WHAT.

    WHAT is a vector (14, PF, isr_14_PF) or a fault of the catalogue, which is then
    raised. RET takes the next step: it shows what the instruction did to the stack, the
    picture, and the instruction that comes next. C runs as one step; `stepi` goes in."""

    name = "step-stub"

    def __init__(self) -> None:
        super().__init__()
        self.session: _Session | None = None

    def run(self, argument: str) -> None:
        if not argument:
            self._refuse("nothing")
        repeats = self.session is not None and self.session.argument == argument
        if repeats and trap.on_path(gdb.newest_frame()):
            self._step()
        else:
            self._start(argument)

    def candidates(self) -> list[str]:
        return list(catalogue.entries())

    def _refuse(self, argument: str) -> NoReturn:
        known = [*catalogue.entries(), *(vector.mnemonic for vector in VECTORS.values())]
        takes = "a vector, 0 to 255 or by name such as PF, or a fault such as bp-int3"
        told = f"step-stub takes {takes}, not {argument}.{did_you_mean(argument, known)}"
        raise gdb.GdbError(fold(told))

    def _start(self, argument: str) -> None:
        vector = vector_of(argument)
        if vector is None and argument not in catalogue.entries():
            self._refuse(argument)
        if vector is None:
            fault = catalogue.find(argument)
            raise_fault.start(fault)
            raise_fault.run_to_stub(fault)
        else:
            say(f"Waiting for {title(vector)}.")
            execution.run_to(path.stub(vector))
        if self.session:
            self.session.end()
        self.session = _Session(argument)
        for line in stack.headline(self.session.before.trap):
            say(line)
        gdb.write(self.session.show(gdb.newest_frame()))

    def _step(self) -> None:
        """Take the next step, C as one. Behind the last one there is nothing to repeat."""
        frame = gdb.newest_frame()
        if steps.is_call(frame.pc()):
            execution.run_call()
            gdb.write(self.session.show(gdb.newest_frame()))
            return
        execution.step()
        frame = gdb.newest_frame()
        if trap.on_path(frame):
            gdb.write(self.session.show(frame))
            return
        self.session.end()
        self.session = None
        self.dont_repeat()
        say("The trap has returned:")
        gdb.write(location(frame))


StepStub()
