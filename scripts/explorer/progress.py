"""How far a recording of many is, for whoever waits: one line that is written over and over on a
terminal; elsewhere a line now and then."""

from __future__ import annotations

import multiprocessing
import sys
import time

INTERVAL = 15  # seconds between two lines of what is no terminal
COLUMNS = 79


class Progress:
    """What several processes have begun: each is given it as it starts, and joins."""

    _joined: Progress | None = None

    def __init__(self, due: int) -> None:
        """There are @due names."""
        self._due = due
        self._begun = multiprocessing.Value("i", 0)
        self._told = multiprocessing.Value("d", time.monotonic())
        self._names: set[str] = set()

    def join(self) -> None:
        """Have begin() of this process tell of its names."""
        Progress._joined = self

    def begin(self, name: str) -> None:
        """Tell that @name begins, unless it has begun before."""
        if name in self._names:
            return
        self._names.add(name)
        with self._begun.get_lock():
            self._begun.value += 1
            self._tell(f"barestub: recording {self._begun.value} of {self._due}: {name}")

    def _tell(self, line: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{line[:COLUMNS]:{COLUMNS}}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._told.value > INTERVAL:
            self._told.value = time.monotonic()
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the line for what comes next."""
        if sys.stderr.isatty():
            print(f"\r{'':{COLUMNS}}\r", end="", file=sys.stderr, flush=True)


def begin(name: str) -> None:
    """Tell that @name begins, where somebody waits for it."""
    if Progress._joined:
        Progress._joined.begin(name)
