"""Interrupts from outside arrive: the timer, the keyboard and the serial port."""

from __future__ import annotations

import re
import time

import pytest

from guest import ANSWER, PROMPT
from elf.symbols import Symbol
from emulator.qemu import POWER_OFF
from gdbstub import GdbStub, Registers
from qemu import Qemu

# kernel/trap/vectors.def; the kernel's own choice.
TIMER, KEYBOARD, COM1 = 64, 65, 68

NMI = 2
LIMIT = 30  # seconds


def counts(machine: Qemu) -> dict[int, int]:
    """How often each vector was taken, as `vectors` tells."""
    rows = re.findall(r"^ +(\d+) +\S+ +.*? +(?:yes|no) +\d+ +(\d+)", machine.ask("vectors"), re.M)
    return {int(vector): int(count) for vector, count in rows}


def test_the_timer_ticks(machine: Qemu) -> None:
    """100 Hz of the guest's time, which a busy host is slow to give."""
    before = counts(machine)[TIMER]
    end = time.monotonic() + LIMIT
    while counts(machine)[TIMER] - before < 10:
        assert time.monotonic() < end


def test_a_command_can_be_typed_on_the_keyboard(machine: Qemu) -> None:
    before = counts(machine)[KEYBOARD]
    machine.send_key("l", "i", "s", "t", "ret")
    answer = machine.wait_for(ANSWER).group(1)
    assert answer == machine.ask("list")
    # Each key gives one interrupt when it is pressed and one when it is released.
    assert counts(machine)[KEYBOARD] - before >= 5
    assert machine.poweroff() == POWER_OFF


@pytest.mark.parametrize("vector", [TIMER, COM1])
def test_the_witness_has_seen_them(machine: Qemu, vector: int) -> None:
    machine.ask("list all")
    time.sleep(0.1)
    assert machine.poweroff() == POWER_OFF
    assert vector in {record.vector for record in machine.interrupts() if record.hardware}


def test_an_nmi_from_the_host_is_counted(machine: Qemu) -> None:
    """It comes through LINT1, while the machine waits for a key."""
    for number in (1, 2):
        machine.qmp("inject-nmi")
        assert counts(machine)[NMI] == number
    records = [record for record in machine.interrupts() if record.vector == NMI]
    assert len(records) == 2
    assert not any(record.software or record.error for record in records)


@pytest.mark.parametrize(
    "entry, vector", [("spurious-pic", 39), ("spurious-pic-eoi", 47), ("spurious-eoi", 255)]
)
def test_spurious_interrupts_are_counted(machine: Qemu, entry: str, vector: int) -> None:
    machine.ask(f"raise {entry}")
    assert counts(machine)[vector] == 1


def test_a_long_line_on_the_serial_port_arrives_whole(machine: Qemu) -> None:
    """Longer than the UART's FIFO and typed at once: no character may be lost."""
    name = "x" * 50
    assert f'"{name}"' in machine.ask(f"raise {name}")


@pytest.mark.parametrize("entry", ["irq-state-kernel", "irq-state-user"])
def test_registers_survive_timer_and_keyboard(machine: Qemu, entry: str) -> None:
    """A key is pressed while the entry fills and checks all registers over and over."""
    before = counts(machine)
    for _ in range(8):
        machine.type(f"raise {entry}")
        machine.wait_for(f"{entry}, ring")  # before its code runs
        machine.send_key("shift")
        machine.wait_for(f"result: name={entry} pass\n")
        machine.wait_for(PROMPT)
    after = counts(machine)
    assert after[TIMER] > before[TIMER]
    assert after[KEYBOARD] > before[KEYBOARD]
    vectors = [record.vector for record in machine.interrupts() if record.hardware]
    assert KEYBOARD in vectors and TIMER in vectors


LOOP_TO_ITSELF = bytes.fromhex("e2fe")
ITERATIONS = 1 << 16


def test_a_tick_that_waits_does_not_disturb_a_fault(
    stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]
) -> None:
    """It comes when interrupts are off and the timer is not masked yet. The fault takes all vectors
    and lets interrupts in."""
    machine, stub = stopped
    machine.type("raise spurious-pic")
    state = stub.run_to(symbols["state_mask_timer"].address)
    there = stub.read(state["rip"], len(LOOP_TO_ITSELF))
    stub.write(state["rip"], LOOP_TO_ITSELF)
    while not re.search(rf"^IRR.*\b{TIMER}\b", machine.hmp("info lapic"), re.MULTILINE):
        stub.set_registers(Registers({**state.values, "rcx": ITERATIONS}, state.rest))
        stub.run_to(state["rip"] + len(LOOP_TO_ITSELF))
    stub.write(state["rip"], there)
    stub.set_registers(state)
    stub.detach()
    assert "result: name=spurious-pic pass\n" in machine.wait_for(ANSWER).group(1)
