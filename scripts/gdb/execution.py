"""Making the machine run: to an address, by one instruction, to the monitor's prompt."""

from __future__ import annotations

import gdb

from .commands import idt
from .frame.frames import STOPS, location
from .frame.symbols import address
from .frame.trap import on_path, register
from .serial_line import SERIAL

# TCG sometimes executes nothing on a step; an instruction may also be its own successor.
_STEP_ATTEMPTS = 3


class Stopped(gdb.GdbError):
    """The machine has stopped at something of the person's own, or has ended."""


def pc() -> int:
    """Return where the machine is."""
    return gdb.newest_frame().pc()


def step() -> None:
    """Execute one instruction."""
    before = pc()
    for _ in range(_STEP_ATTEMPTS):
        with STOPS.hidden():
            gdb.execute("stepi", to_string=True)
        if pc() != before:
            return


def run_to(*addresses: int) -> int:
    """Run until one of @addresses is reached, anew if it is there, and return it."""
    if pc() in addresses:
        step()  # GDB's own step away from its breakpoint may execute nothing, too
    # Under KVM any other breakpoint is a byte in memory, over which the kernel would be loaded.
    kind = gdb.BP_BREAKPOINT if idt.kernel_is_up() else gdb.BP_HARDWARE_BREAKPOINT
    ours = [gdb.Breakpoint(f"*{to:#x}", type=kind, internal=True) for to in addresses]
    try:
        with SERIAL.held(), STOPS.hidden():
            gdb.execute("continue", to_string=True)
    except gdb.error:
        pass  # the connection has ended with the machine
    finally:
        for breakpoint in ours:
            if breakpoint.is_valid():
                breakpoint.delete()
    if gdb.selected_thread() is None:
        raise Stopped("The machine has ended.")
    if pc() not in addresses:
        raise Stopped(f"Stopped before it got there:\n{location(gdb.newest_frame())}".rstrip())
    return pc()


def run_call() -> None:
    """Run the call that comes next to its return, though traps within it may pass there, too."""
    back, rsp = behind(pc()), register(gdb.newest_frame(), "rsp")
    while run_to(back) and register(gdb.newest_frame(), "rsp") != rsp:
        pass


def behind(pc: int) -> int:
    """Return the address of the instruction behind the one at @pc."""
    code = gdb.selected_inferior().architecture().disassemble(pc)
    return pc + code[0]["length"]


def _at_prompt() -> bool:
    """Whether the monitor waits for a line. Where code is no C of ours, it does not, and unwinding
    may guess wrong."""
    frame = gdb.newest_frame()
    while frame is not None and (frame.function() is not None or on_path(frame)):
        if frame.name() == "line_read":
            return True
        frame = frame.older()
    return False


def type_at_prompt(line: str) -> None:
    """Type @line for the monitor, which runs on the first CPU, once it is at its prompt."""
    min(gdb.selected_inferior().threads(), key=lambda thread: thread.num).switch()
    if not idt.kernel_is_up() or not _at_prompt():
        run_to(address("line_read"))
    SERIAL.type(line)
