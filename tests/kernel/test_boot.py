"""The kernel boots to its prompt under both firmwares, and says clearly where it cannot."""

from __future__ import annotations

import subprocess

import pytest

from conftest import Start
from emulator.qemu import POWER_OFF, POWER_OFF_AFTER_FAILURE
from qemu import Qemu


def test_elf_is_multiboot2(elf: str) -> None:
    subprocess.run(["grub-file", "--is-x86-multiboot2", elf], check=True)


def test_boots_to_the_prompt(at_prompt: Start, firmware: str) -> None:
    """The boot is that of the saved state: one of each firmware for all tests."""
    with at_prompt(firmware) as machine:
        assert machine.qmp("query-status")["status"] == "running"
        assert machine.poweroff() == POWER_OFF


def test_screen_shows_text(at_prompt: Start, firmware: str) -> None:
    with at_prompt(firmware) as machine:
        before = machine.screen()
        machine.ask("help")
        width, height, pixels = machine.screen()
        assert width >= 640 and height >= 400
        assert len(set(zip(*[iter(pixels)] * 3))) > 1, "the screen is blank"
        assert pixels != before[2], "what the serial line says does not reach the screen"


def test_poweroff_tells_of_a_failed_command(machine: Qemu) -> None:
    machine.ask("raise no-such-fault")
    assert machine.poweroff() == POWER_OFF_AFTER_FAILURE


def test_reboot_resets(machine: Qemu) -> None:
    machine.type("reboot")
    machine.wait_for("Rebooting.")
    machine.wait_exit()
    reasons = [e["data"]["reason"] for e in machine.events if e["event"] == "SHUTDOWN"]
    assert reasons == ["guest-reset"]
    assert not machine.triple_faulted()


@pytest.mark.parametrize(
    "options, message",
    [
        (("-cpu", "qemu32"), "no long mode"),
        (("-cpu", "max,nx=off"), "no execute-disable"),
        (("-m", "5M"), "memory"),
    ],
    ids=["no-long-mode", "no-nx", "too-little-memory"],
)
def test_says_why_it_cannot_run(iso: str, options: tuple[str, ...], message: str) -> None:
    with Qemu(iso, options=options) as machine:
        machine.wait_for(message)
        assert machine.qmp("query-status")["status"] == "running"  # halted, not reset
