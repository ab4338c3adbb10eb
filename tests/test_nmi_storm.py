"""A storm of NMIs from the host, over the whole catalogue. Nothing holds an NMI back, so it comes in
the middle of everything that the kernel's C takes apart and puts together again: handlers, tables, the
recording of traps. Each entry must do what it does undisturbed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ktap
from qemu import Qemu

NMI = 2
ENOUGH = 1000  # NMIs: several for each entry


@contextmanager
def storm(machine: Qemu) -> Iterator[None]:
    """Inject one NMI after another, as fast as QMP takes them. QMP belongs to the storm."""
    over = threading.Event()

    def blow() -> None:
        while not over.is_set():
            machine.qmp("inject-nmi")

    thread = threading.Thread(target=blow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_catalogue_in_a_storm(machine: Qemu) -> None:
    undisturbed = ktap.parse(machine.ask("check"))
    with storm(machine):
        disturbed = ktap.parse(machine.ask("check"))
    came = sum(record.vector == NMI for record in machine.interrupts())
    assert came > ENOUGH, "that was no storm"
    assert disturbed == undisturbed
