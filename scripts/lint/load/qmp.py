"""A running QEMU: one that listens on a socket, or is started for an ISO image."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from emulator.lifetime import ENDS_WITH_US
from emulator.qmp import Qmp, QmpError
from emulator.qmp import options as qmp_options
from lint.architecture import PAGE_SIZE
from lint.errors import CannotRun

EMULATOR = "qemu-system-x86_64"
TIMEOUT = 30  # seconds for an answer
MIGRATION_POLL = 0.02


class Running:
    """A QEMU that runs a kernel, and its memory."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        """Greet QEMU on @connection, which is ours from now on; messages call it @name."""
        self._qmp = Qmp(connection, TIMEOUT)
        try:
            self._qmp.execute("qmp_capabilities")
        except QmpError:
            raise CannotRun(f"{name}: it does not speak QMP, or serves somebody already") from None
        self._directory = tempfile.TemporaryDirectory(prefix="stublint-")
        self._pages: dict[int, bytes] = {}

    def close(self) -> None:
        """Give the connection back."""
        self._qmp.close()
        self._directory.cleanup()

    def execute(self, command: str, **arguments: object) -> object:
        """Execute a QMP command and return its answer."""
        try:
            return self._qmp.execute(command, **arguments)
        except QmpError as error:
            raise CannotRun(str(error)) from None

    def monitor(self, line: str) -> str:
        """Execute a command of the human monitor and return its text."""
        return str(self.execute("human-monitor-command", **{"command-line": line}))

    def page(self, address: int) -> bytes:
        """Return the physical page at @address."""
        if address not in self._pages:
            path = os.path.join(self._directory.name, "page")
            self.execute("pmemsave", val=address, size=PAGE_SIZE, filename=path)
            try:
                with open(path, "rb") as file:
                    data = file.read()
            except OSError:
                data = self._print_page(address)  # QEMU runs elsewhere, or as somebody else
            self._pages[address] = data.ljust(PAGE_SIZE, b"\0")
        return self._pages[address]

    def saved_state(self) -> bytes:
        """Return the stopped machine's state as QEMU would send it to another one, or b"" if it
        cannot be sent."""
        path = os.path.join(self._directory.name, "state")
        try:
            self._qmp.execute("migrate", uri=f"exec:cat > {path}")
            end = time.monotonic() + TIMEOUT
            while (status := self._migration()) not in ("completed", "failed", "cancelled"):
                if time.monotonic() > end:
                    self._qmp.execute("migrate_cancel")
                time.sleep(MIGRATION_POLL)
            with open(path, "rb") as file:
                return file.read() if status == "completed" else b""
        except (QmpError, OSError):
            return b""

    def _migration(self) -> str:
        return str(self._qmp.execute("query-migrate").get("status"))

    def _print_page(self, address: int) -> bytes:
        text = self.monitor(f"xp /{PAGE_SIZE // 8}xg {address:#x}")
        words = re.findall(r"0x([0-9a-f]{16})", text)
        return b"".join(int(word, 16).to_bytes(8, "little") for word in words)

    def forget(self) -> None:
        """Read memory anew from now on: the machine has run on."""
        self._pages.clear()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Hold the machine for the block, if it runs."""
        running = self.execute("query-status")["running"]
        if running:
            self.execute("stop")
        self.forget()
        try:
            yield
        finally:
            if running:
                self.execute("cont")


def connect(path: str) -> Running:
    """Connect to the UNIX socket at @path."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise CannotRun(f"--qmp {path}: {error.strerror or error}") from None
    return Running(connection, f"--qmp {path}")


@contextmanager
def booted(image: str, options: str) -> Iterator[Running]:
    """Start QEMU on @image, an ISO or disk image or a kernel that QEMU can load; end it after."""
    if not os.path.exists(image):
        raise CannotRun(f"--boot {image}: No such file or directory")
    if shutil.which(EMULATOR) is None:
        raise CannotRun(f"--boot needs {EMULATOR}: install qemu-system-x86")
    ours, theirs = socket.socketpair()
    command = [*ENDS_WITH_US, EMULATOR, "-m", "256M", "-cpu", "max", "-display", "none"]
    command += ["-serial", "null"]
    command += ["-monitor", "none", "-no-reboot", "-no-user-config", *_drive(image)]
    command += [*qmp_options(theirs.fileno()), *shlex.split(options)]
    with tempfile.TemporaryFile("w+") as errors:
        ends = {"stdin": subprocess.DEVNULL, "stdout": errors, "stderr": errors}
        with theirs:
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], **ends)
        try:
            running = _greeted(ours, process, errors)
            try:
                yield running
            finally:
                running.close()
        finally:
            process.kill()
            process.wait()


def _drive(image: str) -> list[str]:
    with open(image, "rb") as file:
        start = file.read(4)
        file.seek(0x8001)
        is_iso = file.read(5) == b"CD001"
    if start == b"\x7fELF":
        return ["-kernel", image]
    return ["-cdrom", image, "-boot", "d"] if is_iso else [
        "-drive", f"file={image},format=raw,snapshot=on"
    ]  # fmt: skip


def _greeted(ours: socket.socket, process: subprocess.Popen[bytes], errors: IO[str]) -> Running:
    try:
        return Running(ours, "--boot")
    except CannotRun:
        ours.close()
        process.kill()
        process.wait()
        errors.seek(0)
        lines = errors.read().strip().splitlines()
        why = lines[0] if lines else "it says nothing"
        raise CannotRun(f"QEMU did not start: {why}") from None
