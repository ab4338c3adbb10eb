"""A machine that goes on behind GRUB's start is the one that boots whole: emulator/behind_grub.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import NO_SCREEN
from elf.symbols import Symbol
from emulator import behind_grub
from emulator.playback import play
from emulator.qemu import clock_of_instructions
from guest import PROMPT, TIMEOUT
from qemu import Qemu

# By the clock of the saved machine and its CPU but for x2APIC mode, and with neither.
WAYS = {"by instructions": tuple(clock_of_instructions()), "another CPU": ("-cpu", "Conroe")}

NO_KERNEL = b"multiboot2 /boot/nothing\ninsmod iorw\noutb 0xcf9 6\n"


def told(machine: Qemu, bootinfo: Symbol) -> tuple[str, bytes, dict[str, int]]:
    """What the kernel says, what it has been told by GRUB, and the registers that it has set."""
    machine.wait_for(PROMPT)
    registers = machine.registers()
    set_up = {name: registers[name] for name in ("CR0", "CR3", "CR4", "EFER")}
    return machine.text, machine.virtual(bootinfo.address, bootinfo.size), set_up


@pytest.mark.parametrize("way", WAYS)
def test_it_is_told_the_same(
    way: str, iso: str, grub: str, symbols: dict[str, Symbol]
) -> None:
    options, bootinfo = (*NO_SCREEN, *WAYS[way]), symbols["bootinfo"]
    with Qemu(iso, options=options) as machine:
        whole = told(machine, bootinfo)
    with Qemu(iso, state=grub, options=options) as machine:
        assert told(machine, bootinfo) == whole


@pytest.fixture
def without_kernel(tmp_path: Path) -> Path:
    """An ISO whose GRUB finds nothing to boot, and resets the machine, as port 0xCF9 does."""
    behind_grub.state()
    waits = behind_grub.CONFIGURATION.read_bytes()
    assert (image := behind_grub.ISO.read_bytes()).count(waits) == 1
    path = tmp_path / "without-kernel.iso"
    path.write_bytes(image.replace(waits, NO_KERNEL.ljust(len(waits), b"\n")))
    return path


def test_a_kernel_that_does_not_start_there_is_a_failure(without_kernel: Path) -> None:
    played = play(without_kernel, TIMEOUT)
    assert (played.text, played.ending) == ("", "stopped: it resets, after a triple fault")


def test_a_grub_that_never_waits_tells_why(without_kernel: Path, tmp_path: Path) -> None:
    with pytest.raises(behind_grub.NeverWaits, match="file `/boot/nothing' not found"):
        behind_grub.save(without_kernel, tmp_path / "state")
