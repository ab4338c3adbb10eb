"""walk: one trap from the instruction that raises it to the one that goes on, as text."""

from __future__ import annotations

import time
from collections.abc import Callable

import gdb
from manuals import CONSTANTS as X86
from manuals import short, title

from .. import execution
from ..command import Command, say
from ..draw import stack, steps
from ..draw.steps import Moment
from ..frame import catalogue, symbols, trap
from ..frame.frames import location
from ..frame.trap import GENERAL, register
from . import raise_fault


def _registers(frame: gdb.Frame) -> dict[str, int]:
    return {name: register(frame, name) for name in (*GENERAL, "rsp")}


class _Walk:
    """One walk, from chapter to chapter."""

    def __init__(self, fault: catalogue.Fault) -> None:
        self.fault = fault
        self.chapter = 0
        self.steps = 0
        self.seconds = 0.0

    def run(self) -> None:
        """Walk."""
        raise_fault.start(self.fault)
        self._before()
        raise_fault.run_to_stub(self.fault)
        moment = self._taken()
        before = _registers(moment.trap.interrupted())
        self._title("The stub and the entry save the rest")
        moment = self._to(moment, lambda now: steps.is_call(now.pc))
        self._picture(moment)
        moment = self._c(moment)
        frame = {slot.name: slot.value for slot in moment.slots.values()}
        self._title("The way back")
        self._to(moment, lambda now: False)
        self._resumed(before, frame)

    def _title(self, text: str) -> None:
        self.chapter += 1
        say(f"\n{self.chapter}. {text}\n")

    def _picture(self, moment: Moment) -> None:
        say()
        for line in stack.draw(moment.trap):
            say(line)

    def _before(self) -> None:
        self._title("The instruction that traps")
        gdb.write(location(gdb.newest_frame()))
        rsp = register(gdb.newest_frame(), "rsp")
        say(f"  RSP {rsp:016x}, mod 16 = {rsp % 16}")

    def _taken(self) -> Moment:
        moment = Moment.now()
        vector = moment.trap.vector
        self._title(f"The CPU takes gate {vector}, {title(vector)}, and pushes its frame")
        for line in stack.headline(moment.trap):
            say(line)
        self._picture(moment)
        return moment

    def _to(self, moment: Moment, is_end: Callable[[Moment], bool]) -> Moment:
        """Step to @is_end, or out of the path, a row for each instruction."""
        say(steps.header())
        began = time.monotonic()
        while not is_end(moment):
            execution.step()
            self.steps += 1
            after = Moment.now()
            if after is None or steps.is_return(moment.pc):
                rsp = register(gdb.newest_frame(), "rsp")
                say(steps.row(moment.pc, rsp, f"- {' '.join(reversed(trap.CPU_SLOTS))}"))
                break
            say(steps.row(moment.pc, after.rsp, steps.effect(moment, after)))
            moment = after
        self.seconds += time.monotonic() - began
        return moment

    def _c(self, moment: Moment) -> Moment:
        """Run the call as one step."""
        self._title(f"C: trap_dispatch((struct regs *){moment.trap.regs:#x})")
        execution.run_call()
        after = Moment.now()
        say(f"The handler of {short(moment.trap.vector)} has returned. In the frame it changed:")
        changed = False
        for address, slot in after.slots.items():
            old = moment.slots[address].value
            if old != slot.value:
                changed = True
                say(f"  {slot.name:<7} {old:016x} -> {slot.value:016x}")
        if not changed:
            say("  nothing: the program goes on as it was.")
        return after

    def _resumed(self, before: dict[str, int], frame: dict[str, int]) -> None:
        frame_now = gdb.newest_frame()
        ended = symbols.name(frame_now.pc()) == "ring_return"
        self._title("The handler has ended the program" if ended else "The program goes on")
        gdb.write(location(frame_now))
        if trap.on_path(frame_now):
            say("  Before its first instruction comes the next trap.")
        elif register(frame_now, "cs") == X86["SELECTOR_USER_CODE32"]:
            say("  In 32-bit code QEMU shows GDB half of the registers: not compared.")
        else:
            self._compare(before, frame, _registers(frame_now))
        say(f"  {self.steps} instructions, {self.steps / self.seconds:.0f} a second.")

    def _compare(self, before: dict[str, int], frame: dict[str, int], now: dict[str, int]) -> None:
        wrong = [name for name in now if now[name] != frame[name]]
        changed = [name for name in now if now[name] != before[name]]
        if wrong:
            say(f"  WRONG: not as in the frame: {', '.join(wrong)}")
        elif changed:
            say(f"  All registers are as in the frame, by which {', '.join(changed)} changed.")
        else:
            say(f"  RSP and all {len(GENERAL)} general registers are as before the trap.")


class WalkCommand(Command):
    """Play a trap from its instruction to the one that goes on: walk NAME.

    The kernel raises the fault NAME of the catalogue. All the way is told as text, in 80
    columns: each instruction of stub and entry with what it did to the stack, the picture
    where it matters, and what the C handler changed. Needs nobody at the keyboard:
    `make debug WALK=NAME` prints it and ends."""

    name = "walk"

    def run(self, argument: str) -> None:
        _Walk(catalogue.find(argument)).run()

    def candidates(self) -> list[str]:
        return list(catalogue.entries())


WalkCommand()
