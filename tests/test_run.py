"""scripts/run: what `make run` does for a script and for a person at a terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conftest import ROOT
from guest import PROMPT, TIMEOUT

RUN = [sys.executable, str(ROOT / "scripts" / "run"), "--display", "none"]


def run(iso: str, lines: str) -> subprocess.CompletedProcess[str]:
    """Pipe @lines into scripts/run."""
    return subprocess.run([*RUN, iso], input=lines, capture_output=True, text=True, timeout=TIMEOUT)


def processes_of_session(session: int) -> list[str]:
    """Return the command lines of what still runs in @session."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) == session:
                with open(f"/proc/{pid}/cmdline") as file:
                    found.append(file.read())
        except OSError:
            continue  # it has just ended
    return [line for line in found if line]


class Terminal:
    """A person at a terminal of their own, in front of scripts/run."""

    def __init__(self, iso: str, emulator: str) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        ends = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
        command = [*RUN, "--emu", emulator, iso]
        self.process = subprocess.Popen(command, start_new_session=True, **ends)
        self.text = ""

    def wait_for(self, pattern: str) -> None:
        end = time.monotonic() + TIMEOUT
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, self.text
            self.text += os.read(self.master, 4096).decode("ascii", "replace")

    def type(self, text: str) -> None:
        self.text = ""
        os.write(self.master, text.encode())

    def end(self) -> int:
        """Wait for the end of the script; return its status. Nothing must be left of it."""
        status = self.process.wait(TIMEOUT)
        assert termios.tcgetattr(self.slave) == self.before
        assert processes_of_session(self.process.pid) == []
        return status


@contextmanager
def terminal(iso: str, emulator: str = "qemu") -> Iterator[Terminal]:
    person = Terminal(iso, emulator)
    try:
        yield person
    finally:
        if person.process.poll() is None:
            person.process.terminate()
            person.process.wait()
        os.close(person.master)
        os.close(person.slave)


def test_a_script_that_checks_and_switches_off_succeeds(iso: str) -> None:
    done = run(iso, "check\npoweroff\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^1\.\.\d+", done.stdout, re.MULTILINE)


def test_the_end_of_a_script_switches_off(iso: str) -> None:
    done = run(iso, "help")
    assert done.returncode == 0, done.stderr
    assert "poweroff" in done.stdout


def test_a_failed_command_fails_the_run(iso: str) -> None:
    done = run(iso, "raise no-such-fault\n")
    assert done.returncode == 1
    assert "failed" in done.stderr


def test_a_panic_fails_the_run_and_is_named(iso: str) -> None:
    done = run(iso, "panic\n")
    assert done.returncode == 1
    assert "KERNEL PANIC: Invalid Opcode" in done.stderr
    assert "System Halted." in done.stdout


def test_a_reboot_boots_again(iso: str) -> None:
    done = run(iso, "reboot\nlist\npoweroff\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Rebooting.") == 1


def test_a_reset_that_nobody_asked_for_fails_the_run(tmp_path) -> None:
    grub = tmp_path / "iso" / "boot" / "grub"
    grub.mkdir(parents=True)
    (grub / "grub.cfg").write_text("reboot\n")
    image = str(tmp_path / "reset.iso")
    subprocess.run(
        ["grub-mkrescue", "-o", image, str(tmp_path / "iso")], check=True, capture_output=True
    )
    done = run(image, "")
    assert done.returncode == 1
    assert "triple fault" in done.stderr


def test_an_image_that_is_not_there_is_told(tmp_path) -> None:
    done = run(str(tmp_path / "none.iso"), "")
    assert done.returncode == 1
    assert "none.iso" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
def test_ctrl_c_ends_it_and_leaves_the_terminal_sane(iso: str, emulator: str) -> None:
    with terminal(iso, emulator) as person:
        person.wait_for(PROMPT)
        assert termios.tcgetattr(person.slave) != person.before
        person.type("\x03")
        assert person.end() == 0


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
def test_poweroff_ends_it_and_leaves_the_terminal_sane(iso: str, emulator: str) -> None:
    with terminal(iso, emulator) as person:
        person.wait_for(PROMPT)
        person.type("hel\t\r")
        person.wait_for(r"poweroff[^\n]*\n(?s:.*)" + PROMPT)
        person.type("poweroff\r")
        assert person.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(iso: str, number: signal.Signals) -> None:
    with terminal(iso) as person:
        person.wait_for(PROMPT)
        person.process.send_signal(number)
        person.end()
