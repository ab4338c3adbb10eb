"""A person at a terminal of 80 columns and 24 lines, in front of one of our commands."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

from guest import TIMEOUT

ROOT = Path(__file__).parents[2]
STOP_TIMEOUT = 10  # seconds for a command to tidy up when it is asked to end


class Person:
    """Types and reads. Use terminal(): the command never outlives its block."""

    def __init__(self, command: list[str]) -> None:
        self.master, self.slave = pty.openpty()
        ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self._before = termios.tcgetattr(self.slave)
        ends = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm"},
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
            **ends,
        )
        self.text = ""

    def is_terminal_sane(self) -> bool:
        """Whether the terminal is as the command found it."""
        return termios.tcgetattr(self.slave) == self._before

    def wait_for(self, pattern: str) -> str:
        """Wait until the command has said @pattern, a regular expression, since the last type();
        return what it has said since."""
        end = time.monotonic() + TIMEOUT
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, f"{pattern!r} did not come: {self.text!r}"
            self.text += os.read(self.master, 4096).decode("utf-8", "replace")
        return self.text

    def type(self, text: str) -> None:
        self.text = ""
        os.write(self.master, text.encode())


@contextmanager
def terminal(command: list[str]) -> Iterator[Person]:
    """Around what a person does with @command."""
    person = Person(command)
    try:
        yield person
    finally:
        try:
            person.process.terminate()
            person.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(person.process.pid, signal.SIGKILL)
            person.process.wait()
        os.close(person.master)
        os.close(person.slave)


def script(command: list[str], lines: str) -> subprocess.CompletedProcess[str]:
    """Pipe @lines into @command, as a script does."""
    return subprocess.run(
        command, input=lines, capture_output=True, text=True, timeout=TIMEOUT, cwd=ROOT
    )
