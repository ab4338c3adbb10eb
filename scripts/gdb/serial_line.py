"""The guest's serial line: what it says is shown among GDB's text, each line behind a bar, and
`tell` and `raise` type on it."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import gdb

from .frame.frames import STOPS

PROMPT = "barestub> "
_CONTROL = re.compile(r"\r|\x1b\[[0-9;]*[A-Za-z]")


class SerialLine:
    """The socket that QEMU offers the guest's COM1 on."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        self._text = ""
        self._held = False
        self._hinted = False
        self._posted = False
        self.is_recording = False  # then the guest repeats itself whenever one goes back
        gdb.events.stop.connect(lambda _event: self._show())
        gdb.events.exited.connect(lambda _event: self._show())
        gdb.events.gdb_exiting.connect(lambda _event: self._close())

    def connect(self, path: str) -> None:
        """Go to the socket at @path."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._reader = threading.Thread(target=self._watch)
        # GDB's main thread alone is to get its signals.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._reader.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _close(self) -> None:
        """End the reader, which must not outlive what it calls."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._reader.join()

    def require_input(self) -> None:
        """Say so if the guest cannot be told anything."""
        if self.is_recording:
            raise gdb.GdbError("This is a recording: it takes no input.")
        if self._socket is None:
            raise gdb.GdbError("The guest's serial line is not connected.")

    def type(self, line: str) -> None:
        """Send @line as a script does: the answer never stops at a screenful."""
        self._socket.sendall(line.encode() + b"\n")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Show nothing while GDB's own output is caught, but afterwards."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._show()

    def _take(self) -> bool:
        """Take what has come; return whether there can be more."""
        with self._lock:
            try:
                data = self._socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except OSError:
                return False  # QEMU has ended
            self._text += data.decode("ascii", "replace")
            return bool(data)

    def _watch(self) -> None:
        """The reader thread. GDB's main thread alone may print, and does so itself at each stop;
        an event that is still waiting when GDB ends would crash it."""
        while select.select([self._socket], [], []) and self._take():
            if STOPS.running and not self._posted:
                self._posted = True
                gdb.post_event(self._show_running)

    def _show_running(self) -> None:
        """Print while the guest runs. A Ctrl-C that hits us here is meant for the guest."""
        try:
            self._show()
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGINT)

    def _show(self) -> None:
        """Print the whole lines that have come."""
        self._posted = False
        if self._held or self._socket is None:
            return
        self._take()
        with self._lock:
            *lines, self._text = self._text.split("\n")
        for line in [] if self.is_recording else lines:
            gdb.write(f"| {_CONTROL.sub('', line)}\n")
            self._hinted = False
        if self._text.endswith(PROMPT) and STOPS.running and not self._hinted:
            gdb.write("The kernel waits at its prompt: Ctrl-C, then `raise` or `tell`.\n")
            self._hinted = True


SERIAL = SerialLine()
