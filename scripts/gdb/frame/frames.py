"""How the frames of stubs and entry are shown: by name and source line, as any other.

Their unwind rows say that they interrupted their caller. GDB takes that for the frame of a signal
handler, and would print "<signal handler called>" and no source. For `bt` a frame filter says what
is there. At a stop GDB's own print is kept back, and a stop hook prints instead. The hook comes too
late to decide, so an unwinder does: GDB calls it as soon as it looks where it is.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gdb
from gdb.FrameDecorator import FrameDecorator
from gdb.unwinder import Unwinder, register_unwinder

from . import path, symbols, trap


class _PathFrame(FrameDecorator):
    """A frame of a stub or of the entry."""

    def function(self) -> str:
        frame = self.inferior_frame()
        return frame.name() or symbols.name(frame.pc())

    def line(self) -> int:
        return self.inferior_frame().find_sal().line


class _FullPathFrame(FrameDecorator):
    """A frame with the full path of its source, which editors ask for."""

    def filename(self) -> str | None:
        where = self.inferior_frame().find_sal()
        return where.symtab.fullname() if where.symtab else None


class _PathFilter:
    """A frame filter: GDB calls filter() with the frames of a backtrace."""

    name = "barestub"
    priority = 100
    enabled = True
    full_paths = False

    def filter(self, frames: Iterator[FrameDecorator]) -> Iterator[FrameDecorator]:
        for frame in frames:
            if trap.on_path(frame.inferior_frame()):
                frame = _PathFrame(frame)
            yield _FullPathFrame(frame) if self.full_paths else frame


def location(frame: gdb.Frame) -> str:
    """Return where @frame is and its source line, as GDB prints them at a stop."""
    if not trap.on_path(frame):
        return gdb.execute("frame", to_string=True).partition("  ")[2]
    where = frame.find_sal()
    source = linecache.getline(where.symtab.fullname(), where.line).rstrip()
    return (
        f"{frame.name() or symbols.name(frame.pc())} () at {where.symtab.filename}:{where.line}\n"
        f"{where.line}\t{source}\n"
    )


def _reason(event: gdb.StopEvent) -> str:
    """Return how GDB begins to tell of @event."""
    if isinstance(event, gdb.BreakpointEvent):
        kind = "Temporary breakpoint" if event.breakpoint.temporary else "Breakpoint"
        return f"\n{kind} {event.breakpoint.number}, "
    return ""


def _watching() -> bool:
    return any(breakpoint.type != gdb.BP_BREAKPOINT for breakpoint in gdb.breakpoints())


class _Stops(Unwinder):
    """Keeps GDB's own print of a stop back where it would be wrong, and prints instead."""

    def __init__(self) -> None:
        super().__init__("barestub")
        self.running = False
        self.kept_back = False
        self.quiet = False
        self.show: Callable[[gdb.Frame], str] = location
        gdb.events.cont.connect(self._on_continue)
        gdb.events.stop.connect(self._on_stop)
        gdb.events.exited.connect(self._on_end)
        gdb.events.before_prompt.connect(self._on_end)

    def __call__(self, pending: gdb.PendingFrame) -> None:
        """GDB asks how to unwind a frame: a sign that it knows where it has stopped."""
        if self.running and pending.level() == 0:
            self._keep_back(self.quiet or path.contains(int(pending.read_register("rip"))))

    def _keep_back(self, yes: bool) -> None:
        if yes != self.kept_back:
            self.kept_back = yes
            gdb.execute(f"set suppress-cli-notifications {'on' if yes else 'off'}")

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Show no stop: a command makes the machine run and has a say of its own."""
        self.quiet = True
        self._keep_back(True)
        try:
            yield
        finally:
            self.quiet = False
            self._keep_back(False)

    def _on_continue(self, _event: gdb.ThreadEvent) -> None:
        # At a breakpoint GDB prints before it asks. What a watchpoint saw only GDB can tell.
        self.running = True
        self._keep_back(self.quiet or not _watching())

    def _on_end(self, *_: object) -> None:
        self.running = False
        self._keep_back(False)

    def _on_stop(self, event: gdb.StopEvent) -> None:
        silent = self.kept_back
        self._on_end()
        if self.quiet:
            return
        frame = gdb.newest_frame()
        if silent:
            gdb.write(_reason(event))
        if silent or trap.on_path(frame):
            gdb.write(self.show(frame) if trap.on_path(frame) else location(frame))


FILTER = _PathFilter()
gdb.frame_filters[FILTER.name] = FILTER
STOPS = _Stops()
register_unwinder(None, STOPS, replace=True)
