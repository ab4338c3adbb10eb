"""A storm of NMIs from the host, over the whole catalogue. Nothing holds an NMI back, so it comes in
the middle of everything that the kernel's C takes apart and puts together again: handlers, tables,
the recording of traps. Each entry must do what it does undisturbed."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import ktap
from gdbstub import GdbStub
from guest import ANSWER
from qemu import Qemu
from elf.symbols import Symbol

NMI = 2
ENOUGH = 1000  # NMIs: several for each entry
LULL = 100  # in one `check`, at least
# What an emulator decides by RFLAGS.RF: what a trap saves of it, and instruction breakpoints.
BY_RF = re.compile(r"^rf-|\bexec\b")
REBUILD_STEPS = 300  # instructions: more than it takes to come to the gate of NMIs and beyond


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


def nmis(machine: Qemu) -> int:
    """How many have come, by QEMU's log."""
    return sum(record.vector == NMI for record in machine.interrupts())


def without_rf(results: list[ktap.Result]) -> list[ktap.Result]:
    return [result for result in results if not BY_RF.search(result.name)]


def test_the_catalogue_in_a_storm(machine: Qemu) -> None:
    undisturbed = ktap.parse(machine.ask("check"))
    rf_nmi = next(result for result in undisturbed if result.name == "rf-nmi")
    # An NMI that saves RF as 1 has it set behind its IRETQ, whatever stands there.
    compared = list if rf_nmi.passed else without_rf
    came = 0
    while came < ENOUGH:  # a busy host blows less of a storm
        with storm(machine):
            disturbed = ktap.parse(machine.ask("check"))
        assert compared(disturbed) == compared(undisturbed)
        before, came = came, nmis(machine)
        assert came > before + LULL, "that was no storm"
    machine.ask("regs")  # the last one that QMP has sent may still be on its way
    told = int(re.search(r"^ +2 +NMI .* (\d+) +Non-Maskable", machine.ask("vectors"), re.M)[1])
    assert told == nmis(machine)


@pytest.mark.parametrize("function", ["gdt_init", "idt_init"])
def test_at_every_instruction_that_rebuilds_a_table(
    stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol], function: str
) -> None:
    """After each entry the tables are made anew, while they are in use."""
    machine, stub = stopped
    machine.type("raise ud-ud2")
    state = stub.run_to(symbols[function].address)
    for _ in range(REBUILD_STEPS):
        machine.qmp("inject-nmi")
        frame = stub.run_to(symbols["isr_2_NMI"].address)["rsp"]
        assert int.from_bytes(stub.read(frame, 8), "little") == state["rip"]
        stub.run_to(state["rip"])
        state = stub.step(state)
    stub.detach()
    assert "result: name=ud-ud2 pass\n" in machine.wait_for(ANSWER).group(1)
