"""EMU=kvm: what a person is told where KVM cannot be used, and the command line where it can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from emulator import kvm
from guest import TIMEOUT

RUN = [sys.executable, str(ROOT / "scripts" / "run"), "--display", "none"]
DEBUG = [sys.executable, str(ROOT / "scripts" / "debug")]

needs_device = pytest.mark.skipif(
    not os.access(kvm.DEVICE, os.R_OK | os.W_OK), reason=f"no {kvm.DEVICE} to look at"
)

# In QEMU's place: it keeps what it was started with, says a word, and ends as it is told to.
PROGRAM = """\
#!/bin/sh
echo "$*" >> {seen}
echo "first word" >&2
echo "second word" >&2
{end}
"""

# scripts/run on hardware, with less patience for the boot.
ON_HARDWARE = """\
import runpy, sys
sys.path.insert(0, "scripts")
from emulator import kvm
kvm.PVM, kvm.BOOT_LIMIT = "none", 1
runpy.run_path("scripts/run", run_name="__main__")
"""
RUN_ON_HARDWARE = [sys.executable, "-c", ON_HARDWARE, "--display", "none", "--emu", "kvm"]


def program(directory: Path, end: str) -> str:
    """Write the program that stands for QEMU and ends by the command @end; return its path."""
    path = directory / "qemu"
    path.write_text(PROGRAM.format(seen=directory / "seen", end=end))
    path.chmod(0o755)
    return str(path)


def start(command: list[str], emulator: str) -> subprocess.CompletedProcess[str]:
    """Run @command with @emulator as QEMU."""
    environment = {**os.environ, "QEMU": emulator}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        input="",
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def test_no_device_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "DEVICE", str(tmp_path / "kvm"))
    with pytest.raises(kvm.NoKvm, match="there is no /dev/kvm: .* modprobe kvm_intel"):
        kvm.check()


def test_no_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "DEVICE", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open any file
    with pytest.raises(kvm.NoKvm, match="no permission for /dev/kvm: .* -aG kvm"):
        kvm.check()


def test_what_is_no_hardware_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer QEMUs make a CPU of it, on which the kernel would be waited for in vain."""
    monkeypatch.setattr(kvm, "DEVICE", str(tmp_path))
    monkeypatch.setattr(kvm, "PVM", str(tmp_path))
    monkeypatch.setattr(kvm.qemu, "EMULATOR", program(tmp_path, "exit 0"))
    with pytest.raises(kvm.NoKvm, match="kvm_pvm here, which is no hardware: .* Take EMU=qemu"):
        kvm.check()


def test_what_qemu_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "DEVICE", str(tmp_path))
    monkeypatch.setattr(kvm, "PVM", str(tmp_path / "none"))
    monkeypatch.setattr(kvm.qemu, "EMULATOR", program(tmp_path, "exit 134"))
    with pytest.raises(kvm.NoKvm, match="cannot run this CPU by KVM: first word. Take EMU=qemu"):
        kvm.check()


@pytest.mark.parametrize("command", [RUN, [*DEBUG, "build/barestub.elf"]], ids=["run", "debug"])
def test_a_kvm_that_is_none_ends_it_with_a_reason(
    command: list[str], iso: str, tmp_path: Path
) -> None:
    done = start([*command, "--emu", "kvm", iso], program(tmp_path, "exit 1"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
    assert "take emu=qemu" in done.stderr.lower() or kvm.DEVICE in done.stderr


@needs_device
def test_the_command_line(iso: str, tmp_path: Path) -> None:
    done = start([*RUN_ON_HARDWARE, iso], program(tmp_path, "exit 0"))
    assert "first word" in done.stderr
    _, command = (tmp_path / "seen").read_text().splitlines()
    assert "-cpu host " in command and "-accel kvm " in command and f"-cdrom {iso}" in command


@needs_device
def test_a_guest_that_does_not_come_up_is_told(iso: str, tmp_path: Path) -> None:
    silent = program(tmp_path, 'case "$*" in *-cdrom*) exec sleep 5 ;; esac')
    done = start([*RUN_ON_HARDWARE, iso], silent)
    assert done.returncode == 1
    assert "has not started within 1 s. This KVM does not run it: take EMU=qemu" in done.stderr


@pytest.mark.parametrize(
    "options, reason",
    [
        (["--emu", "bochs"], "EMU=bochs: GDB talks to QEMU alone"),
        (["--emu", "kvm", "--record"], "leave out EMU=kvm or RR=1"),
    ],
)
def test_what_cannot_be_debugged_is_told(
    options: list[str], reason: str, iso: str, elf: str
) -> None:
    done = start([*DEBUG, *options, elf, iso], "true")
    assert done.returncode == 1
    assert reason in done.stderr


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
def test_an_emulator_that_is_not_there_is_told(emulator: str, iso: str, tmp_path: Path) -> None:
    environment = {**os.environ, emulator.upper(): str(tmp_path / "none")}
    command = [*RUN, "--emu", emulator, iso]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"there is no {tmp_path}/none" in done.stderr and "Traceback" not in done.stderr
