"""How a debugging session starts: scripts/debug calls one of these."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gdb

from . import execution
from .command import say
from .commands import raise_fault
from .frame import catalogue
from .frame.frames import FILTER, STOPS, location
from .frame.symbols import address
from .serial_line import SERIAL

_COMMANDS = """\
Barestub in QEMU. Lines behind a bar are the kernel's own words.
  raise NAME      stop where a fault of the catalogue traps (Tab lists them)
  step-stub WHAT  each step of a stub with the stack's picture; RET goes on
  walk NAME       a whole trap as text        frame-picture  the stack here
  traps, idt, regs-of-trap, tell WORDS        barestub       this list
"""

_RECORDING = """\
A recording of what stands above. `reverse-stepi` and `reverse-continue` go back
in time, from a stub across the CPU's pushes to before them. A fault's own
instruction has not completed and does not count as one: going back ends before
it, and `stepi` leads to it.
"""


class _Overview(gdb.Command):
    __doc__ = _COMMANDS

    def invoke(self, argument: str, from_tty: bool) -> None:
        gdb.write(_COMMANDS)


def connect(stub: str, serial: str) -> None:
    """Connect to QEMU's GDB stub and to the guest's serial line, each a socket."""
    with STOPS.hidden():
        gdb.execute(f"target remote {stub}", to_string=True)
    SERIAL.connect(serial)


def for_editor(serial: str) -> None:
    """Prepare for an editor, which connects to QEMU by itself: .vscode/launch.json."""
    SERIAL.connect(serial)
    FILTER.full_paths = True
    gdb.execute("set breakpoint pending on")
    gdb.execute("tbreak kmain", to_string=True)


@contextmanager
def _errors_told() -> Iterator[None]:
    """Tell an error by its text alone, as GDB does where a command and not Python raises it."""
    try:
        yield
    except (gdb.error, gdb.GdbError) as error:
        say(str(error))


def at_kernel() -> None:
    """Stop where the kernel proper begins."""
    gdb.write(_COMMANDS)
    execution.run_to(address("kmain"))
    gdb.write(location(gdb.newest_frame()))


def at_fault(name: str) -> None:
    """Stop where the fault @name traps."""
    gdb.write(_COMMANDS)
    with _errors_told():
        gdb.execute(f"raise {name}")


def in_recording(name: str) -> None:
    """Stop in a recording of `raise @name` where it traps."""
    SERIAL.is_recording = True
    gdb.write(_RECORDING)
    with _errors_told():
        fault = catalogue.find(name)
        raise_fault.announce(fault)
        execution.run_to(fault.code)
        raise_fault.run_to_trap(fault)
        gdb.write(location(gdb.newest_frame()))


_Overview("barestub", gdb.COMMAND_USER)
