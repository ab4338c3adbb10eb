"""A running QEMU: its QMP socket, and one that is started for an ISO image."""

from __future__ import annotations

import json
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

from lint.architecture import PAGE_SIZE
from lint.errors import CannotRun

EMULATOR = "qemu-system-x86_64"
TIMEOUT = 30  # seconds for an answer
START = 10  # seconds for QEMU to open its socket


class Qmp:
    """A connection to QEMU's machine protocol."""

    def __init__(self, path: str) -> None:
        """Connect to the UNIX socket at @path."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(path)
            self._file = self._socket.makefile("r")
            greeting = json.loads(self._file.readline() or "null")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it does not speak QMP"
            raise CannotRun(f"--qmp {path}: {why}") from None
        if not isinstance(greeting, dict) or "QMP" not in greeting:
            raise CannotRun(f"--qmp {path}: it does not speak QMP, or serves somebody already")
        self._directory = tempfile.TemporaryDirectory(prefix="stublint-")
        self._pages: dict[int, bytes] = {}
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Give the connection back."""
        self._file.close()
        self._socket.close()
        self._directory.cleanup()

    def execute(self, command: str, **arguments: object) -> object:
        """Execute a QMP command and return its answer."""
        request = json.dumps({"execute": command, "arguments": arguments})
        try:
            self._socket.sendall(request.encode() + b"\n")
            for line in self._file:
                reply = json.loads(line)
                if "error" in reply:
                    raise CannotRun(f"QEMU refuses {command}: {reply['error'].get('desc')}")
                if "return" in reply:
                    return reply["return"]
        except (OSError, ValueError) as error:
            raise CannotRun(f"QEMU does not answer {command}: {error}") from None
        raise CannotRun(f"QEMU has ended during {command}")

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


@contextmanager
def booted(image: str, options: str) -> Iterator[Qmp]:
    """Start QEMU on @image, an ISO or disk image or a kernel that QEMU can load; end it after."""
    if not os.path.exists(image):
        raise CannotRun(f"--boot {image}: No such file or directory")
    if shutil.which(EMULATOR) is None:
        raise CannotRun(f"--boot needs {EMULATOR}: install qemu-system-x86")
    with tempfile.TemporaryDirectory(prefix="stublint-") as directory:
        path, errors = os.path.join(directory, "qmp"), os.path.join(directory, "errors")
        command = [EMULATOR, "-m", "256M", "-cpu", "max", "-display", "none", "-serial", "null"]
        command += ["-monitor", "none", "-no-reboot", "-no-user-config"]
        command += ["-qmp", f"unix:{path},server=on,wait=off", *_drive(image)]
        with open(errors, "w") as log:
            process = subprocess.Popen(
                command + shlex.split(options), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            _wait_for(path, process, errors)
            qmp = Qmp(path)
            try:
                yield qmp
            finally:
                qmp.close()
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


def _wait_for(path: str, process: subprocess.Popen[bytes], errors: str) -> None:
    end = time.monotonic() + START
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > end:
            with open(errors) as file:
                lines = file.read().strip().splitlines()
            raise CannotRun(f"QEMU did not start: {lines[0] if lines else 'it says nothing'}")
        time.sleep(0.02)
