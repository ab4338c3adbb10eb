"""Machines at the monitor's prompt, one for each CPU model: the same one for as long as it does
well."""

from __future__ import annotations

from collections.abc import Callable

from guest import PROMPT, Guest


class Machines:
    """Close it, or use it in a `with`: no machine outlives it."""

    def __init__(self, start: Callable[[str], Guest]) -> None:
        """@start starts the machine with the CPU model that it is given."""
        self._start = start
        self._running: dict[str, Guest] = {}

    def at_prompt(self, cpu: str) -> Guest:
        """Return the machine with @cpu, which may have to boot."""
        if cpu not in self._running:
            machine = self._start(cpu).__enter__()
            self._running[cpu] = machine
            machine.wait_for(PROMPT)
        return self._running[cpu]

    def discard(self, cpu: str) -> None:
        """End the machine with @cpu: the next one boots."""
        self._running.pop(cpu).__exit__()

    def close(self) -> None:
        for cpu in list(self._running):
            self.discard(cpu)

    def __enter__(self) -> Machines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
