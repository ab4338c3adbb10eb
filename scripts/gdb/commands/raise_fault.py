"""raise: have the kernel raise a fault of the catalogue now."""

from __future__ import annotations

import gdb
from manuals import title

from .. import execution
from ..command import Command, say
from ..draw import words
from ..frame import catalogue, path, symbols, trap
from ..frame.catalogue import Fault
from ..frame.frames import location
from ..serial_line import SERIAL


def start(fault: Fault, place: str = "") -> None:
    """Have the kernel raise @fault, `on N` if @place is that, and stop in its code where it will
    trap: at the instruction that does, or at the first one if the code does not tell which does."""
    SERIAL.require_input()
    announce(fault)
    execution.type_at_prompt(f"raise {fault.name} {place}".rstrip())
    if execution.run_to(fault.code, symbols.address("line_read")) != fault.code:
        raise execution.Stopped("The kernel did not run it, and says why.")
    run_to_trap(fault)


def _run_or_miss(address: int) -> None:
    """Run to @address; the monitor's prompt means that the fault is over."""
    if execution.run_to(address, symbols.address("line_read")) != address:
        raise execution.Stopped("No such trap came: the kernel says what did.")


def run_to_trap(fault: Fault) -> None:
    """Go on from the first instruction of @fault to the one that traps."""
    trapping = catalogue.trapping_instruction(fault)
    if trapping not in (None, fault.code):
        _run_or_miss(trapping)


def run_to_stub(fault: Fault) -> None:
    """Go on from where start() has stopped to the first instruction of the stub."""
    if catalogue.trapping_instruction(fault) is not None:
        execution.step()
        if trap.on_path(gdb.newest_frame()):
            return
    if fault.first is None:
        raise gdb.GdbError("Its file does not say what trap it raises.")
    _run_or_miss(path.stub(fault.first.vector))


def announce(fault: Fault) -> None:
    """Say what @fault is, and what the architecture says must come of it."""
    say(f"{fault.name}, ring {fault.ring}: {fault.summary}")
    expected = fault.first
    if expected is None:
        return
    if expected.has("EXPECT_CODE"):
        code = expected.error_code
        error = f"error {code:#x}: {words.error(expected.vector, code)}"
    else:
        error = "no error code"
    say(f"  due: {title(expected.vector)}, {error}"[:79])


class Raise(Command):
    """Have the kernel raise a fault, and stop where it traps: raise NAME [on CPU].

    The name is typed at the kernel's prompt, as a person would. From the instruction,
    `stepi` goes to the first one of the stub; GDB's `step` would pass by stub and entry
    and stop in trap_dispatch(). INT3 and single steps of the guest's own reach the guest
    under GDB as well."""

    name = "raise"

    def run(self, argument: str) -> None:
        name, _, place = argument.partition(" ")
        fault = catalogue.find(name)
        start(fault, place)
        gdb.write(location(gdb.newest_frame()))
        if catalogue.trapping_instruction(fault) is None:
            say("Its first instruction: the trap comes later. step-stub runs to its stub.")

    def candidates(self) -> list[str]:
        return list(catalogue.entries())


Raise()
