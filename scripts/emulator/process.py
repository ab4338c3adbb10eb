"""An emulator's process as scripts/run sees it: the bytes of its serial line, and how it ended."""

from __future__ import annotations

import os
import pty
import select
import shutil
import socket
import subprocess
import threading
import tty
from contextlib import suppress
from typing import Protocol

from emulator import bochs, qemu
from emulator.qmp import Qmp, QmpError, options


class Ending:
    """How a machine has ended."""

    def __init__(self, status: int, message: str = "", is_reset: bool = False) -> None:
        self.status = status  # of scripts/run
        self.message = message  # for the person, '' if there is nothing to say
        self.is_reset = is_reset


class Process(Protocol):
    """One emulator, which runs until it ends by itself or is closed."""

    def wait(self, others: list[int]) -> list[int]:
        """Wait a while for the guest or one of @others, descriptors; return those of them that are
        ready."""

    def read(self) -> bytes | None:
        """Return what the guest has said since the last time, or None at its end."""

    def send(self, data: bytes) -> None:
        """Send @data to the guest's serial line."""

    def ending(self, failures: list[str]) -> Ending:
        """Wait for the end of the process and judge it; @failures are those that were seen."""

    def close(self) -> None:
        """End it if it still runs."""


def _check_there(program: str, group: str) -> None:
    """End with a message if there is no such @program, which scripts/deps @group would install."""
    if shutil.which(program) is None:
        raise SystemExit(f"barestub: there is no {program}: run scripts/deps {group}")


def _wait_for_any(descriptors: list[object]) -> list[object]:
    """Return those of @descriptors that can be read, if need be none after a second: Python does
    not see a signal that comes just before select() until select() is over."""
    ready, _, _ = select.select(descriptors, [], [], 1)
    return ready


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def failed(failures: list[str]) -> Ending:
    """Return the end of a run in which @failures were seen, or what the monitor alone knows."""
    seen = failures or ["a command of the monitor, see above"]
    return Ending(1, "this failed:" + "".join(f"\n  {line}" for line in seen))


RESET = Ending(1, "the machine reset by itself: most likely a triple fault.", is_reset=True)


class Qemu:
    """The serial line on pipes, and QMP on a socket that the process inherits."""

    def __init__(
        self,
        iso: str,
        cpu: str,
        uefi: bool,
        display: str,
        directory: str,
        kvm: bool = False,
        cpus: int = 1,
    ) -> None:
        _check_there(qemu.EMULATOR, "run")
        ours, theirs = socket.socketpair()
        command = qemu.qemu_command(iso, uefi, directory, cpu, kvm, cpus)
        command += ["-display", display]
        command += ["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
        command += options(theirs.fileno())
        self._errors = open(os.path.join(directory, "errors.txt"), "w+")
        pipe = subprocess.PIPE
        ends = {"stdin": pipe, "stdout": pipe, "stderr": self._errors}
        with theirs:
            self._process = subprocess.Popen(
                command, bufsize=0, pass_fds=[theirs.fileno()], **ends
            )
        self._output = self._process.stdout.fileno()
        self._qmp = Qmp(ours)
        with suppress(QmpError):  # QEMU has ended at once; its message tells why
            self._qmp.ask("qmp_capabilities")
        self._ready: list[object] = []

    def wait(self, others: list[int]) -> list[int]:
        self._ready = _wait_for_any([self._output, self._qmp, *others])
        if self._qmp in self._ready:
            self._qmp.receive()
        return [descriptor for descriptor in others if descriptor in self._ready]

    def read(self) -> bytes | None:
        if self._output not in self._ready:
            return b""
        return os.read(self._output, 65536) or None

    def send(self, data: bytes) -> None:
        try:
            write_all(self._process.stdin.fileno(), data)
        except BrokenPipeError:
            pass  # the guest has switched off; its exit status tells the rest

    def _reason(self) -> str:
        """Why the process ended in QMP's words, or ''."""
        while self._qmp.receive():
            pass
        reasons = [e["data"]["reason"] for e in self._qmp.events if e["event"] == "SHUTDOWN"]
        return reasons[-1] if reasons else ""

    def _error_text(self) -> str:
        self._errors.seek(0)
        return self._errors.read().strip() or "no message"

    def ending(self, failures: list[str]) -> Ending:
        status = self._process.wait()
        reason = self._reason()
        if status == qemu.POWER_OFF:  # what failed before a reboot the kernel has forgotten
            return failed(failures) if failures else Ending(0)
        if status == qemu.POWER_OFF_AFTER_FAILURE:
            return failed(failures)
        if reason == "guest-reset":
            return RESET
        if reason == "host-ui":
            return Ending(int(bool(failures)), "the window was closed.")
        if reason == "guest-shutdown":
            return Ending(1, "the machine was switched off other than by the monitor's poweroff.")
        if status < 0:
            return Ending(1, f"{qemu.EMULATOR} was killed by signal {-status}.")
        return Ending(1, f"{qemu.EMULATOR} failed with status {status}: {self._error_text()}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._qmp.close()
        self._errors.close()


class Bochs:
    """The serial line on a pseudo-terminal. What the process prints is only kept for errors."""

    def __init__(
        self,
        iso: str,
        cpu: str,
        pace: bochs.Pace,
        display: str | None,
        directory: str,
        cpus: int = 1,
    ) -> None:
        _check_there(bochs.EMULATOR, "bochs")
        if not os.path.exists(iso):
            raise SystemExit(f"barestub: there is no {iso}")
        self._directory = directory
        self._terminal, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        serial = os.ttyname(self._theirs)
        command = bochs.bochs_command(
            iso, directory, serial, pace, cpu=cpu, cpus=cpus, display=display
        )
        ends = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        ends["stderr"] = subprocess.STDOUT
        self._process = subprocess.Popen(command, bufsize=0, env=bochs.environment(), **ends)
        watched = self._process, directory
        threading.Thread(target=bochs.end_at_shutdown, args=watched, daemon=True).start()
        self._output = self._process.stdout.fileno()
        self._printed = b""
        self._ready: list[int] = []
        self._ended = False

    def wait(self, others: list[int]) -> list[int]:
        self._ready = _wait_for_any([self._terminal, self._output, *others])
        if self._output in self._ready:
            data = os.read(self._output, 65536)
            self._printed += data
            self._ended = not data
        return [descriptor for descriptor in others if descriptor in self._ready]

    def read(self) -> bytes | None:
        if self._terminal in self._ready:
            return os.read(self._terminal, 65536)
        return None if self._ended else b""

    def send(self, data: bytes) -> None:
        write_all(self._terminal, data)

    def ending(self, failures: list[str]) -> Ending:
        self._process.wait()
        reason = bochs.end_reason(self._directory)
        if reason == bochs.POWER_OFF:
            return failed(failures) if failures else Ending(0)
        if reason.endswith(bochs.TRIPLE_FAULT):
            return RESET
        message = reason or self._printed.decode(errors="replace").strip()[-1000:]
        return Ending(1, f"{bochs.EMULATOR} has ended: {message or 'no message'}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        os.close(self._terminal)
        os.close(self._theirs)
