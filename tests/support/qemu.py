"""QEMU as the tests drive it: the serial line, QMP, the log of every interrupt, saved states."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import tempfile
import threading
import time

import intlog
from guest import TIMEOUT, Guest
from emulator.qemu import qemu_command
from emulator.qmp import Qmp, QmpError
from emulator.qmp import options as qmp_options


class Qemu(Guest):
    """One QEMU process without a display. Use it in a `with`: it never outlives the block."""

    def __init__(
        self,
        iso: str,
        uefi: bool = False,
        state: str | None = None,
        options: tuple[str, ...] = (),
        stopped: bool = False,
    ) -> None:
        """Boot @iso, or go on from @state, which save_state() wrote under the same firmware.
        @options are added to QEMU's command line, where the last one counts. @stopped leaves the
        machine as @state has it, until somebody lets it run."""
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="barestub-test-")
        self._log = self._path("int.log")
        self._log_start = 0
        self._errors = self._path("errors.txt")

        serial, serial_theirs = socket.socketpair()
        control, control_theirs = socket.socketpair()
        command = qemu_command(iso, uefi, self._directory.name) + ["-display", "none"]
        command += ["-chardev", f"socket,id=serial,fd={serial_theirs.fileno()}"]
        command += ["-serial", "chardev:serial"]
        command += qmp_options(control_theirs.fileno())
        command += ["-D", self._log]
        if state:
            # Only here: a firmware's own interrupts would fill the log with megabytes.
            command += ["-d", "int,cpu_reset", "-incoming", f"exec:cat {shlex.quote(state)}"]
        if stopped:
            command.append("-S")  # for a machine that was saved while it ran
        with open(self._errors, "w") as errors:
            self.process = subprocess.Popen(
                command + list(options),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=[serial_theirs.fileno(), control_theirs.fileno()],
            )
        serial_theirs.close()
        control_theirs.close()
        self._serial = serial
        self._control = Qmp(control, TIMEOUT)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self.qmp("qmp_capabilities")
        if state:
            self._wait_for_state()
            if not stopped:
                self.qmp("cont")

    def _wait_for_state(self) -> None:
        """Wait until the state is loaded; it was saved while stopped."""
        end = time.monotonic() + TIMEOUT
        while self.qmp("query-status")["status"] == "inmigrate":
            assert time.monotonic() < end, self.report()
            time.sleep(0.01)

    def __enter__(self) -> Qemu:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self._serial.close()
        self._control.close()
        self._directory.cleanup()

    def _path(self, name: str) -> str:
        return os.path.join(self._directory.name, name)

    def _drain(self) -> None:
        while data := self._receive():
            self.hear(data)
            # QEMU sends byte by byte: take many together, for each wakes whoever waits for a word.
            time.sleep(0.001)
        self.hear(b"")

    def _receive(self) -> bytes:
        try:
            return self._serial.recv(65536)
        except ConnectionResetError:
            return b""

    def report(self) -> str:
        with open(self._errors) as errors:
            return (
                f"QEMU status: {self.process.poll()}  events: {self.events}\n"
                f"QEMU messages: {errors.read()}\nserial line:\n{self.text}"
            )

    def send(self, data: bytes) -> None:
        self._serial.sendall(data)

    def wait_exit(self, timeout: float = TIMEOUT) -> int:
        """Wait until QEMU ends by itself; return its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"QEMU did not end\n{self.report()}") from None
        self._reader.join()
        while self._control.receive():
            pass
        return status

    def poweroff(self) -> int:
        """Switch the machine off from its monitor; return QEMU's exit status."""
        self.type("poweroff")
        return self.wait_exit()

    @property
    def events(self) -> list[dict]:
        """What QMP has told of so far."""
        return self._control.events

    def qmp(self, command: str, **arguments: object) -> object:
        """Execute a QMP command and return its answer."""
        try:
            return self._control.execute(command, **arguments)
        except QmpError as error:
            raise AssertionError(f"{error}\n{self.report()}") from None

    def hmp(self, line: str) -> str:
        """Execute a command of QEMU's human monitor and return its text."""
        return self.qmp("human-monitor-command", **{"command-line": line})

    def send_key(self, *keys: str) -> None:
        """Press @keys one after another on the PS/2 keyboard, by their QEMU names."""
        for key in keys:
            self.qmp("send-key", keys=[{"type": "qcode", "data": key}])

    def registers(self) -> dict[str, int]:
        """Return the registers that `info registers` names as NAME=HEX."""
        pairs = re.findall(r"\b([A-Z][A-Z0-9]+)=([0-9a-f]+)", self.hmp("info registers"))
        return {name: int(value, 16) for name, value in pairs}

    def physical(self, address: int, size: int) -> bytes:
        """Return @size bytes of physical memory."""
        return self._memory("pmemsave", address, size)

    def virtual(self, address: int, size: int) -> bytes:
        """Return @size bytes of memory as the CPU's page tables map it."""
        return self._memory("memsave", address, size)

    def _memory(self, command: str, address: int, size: int) -> bytes:
        path = self._path("memory.bin")
        signed = address - (1 << 64) if address >> 63 else address  # as QMP wants it
        self.qmp(command, val=signed, size=size, filename=path)
        with open(path, "rb") as file:
            return file.read()

    def screen(self) -> tuple[int, int, bytes]:
        """Return width, height and RGB bytes of the screen."""
        path = self._path("screen.ppm")
        self.qmp("screendump", filename=path)
        with open(path, "rb") as file:
            kind, size, depth = file.readline(), file.readline().split(), file.readline()
            assert (kind, depth) == (b"P6\n", b"255\n")
            return int(size[0]), int(size[1]), file.read()

    def interrupts(self) -> list[intlog.Record]:
        """Return what `-d int` has recorded. Only machines that go on from a state record."""
        return intlog.parse(self.log())

    def triple_faulted(self) -> bool:
        return "Triple fault" in self.log()

    def forget(self) -> None:
        """Let the log begin here, or at the interrupt that is being delivered just now."""
        text = self.log()
        begun = max(text.rfind(intlog.INTERRUPT), 0)
        is_delivered = intlog.parse(text[begun:])
        self._log_start += len(text) if is_delivered else begun

    def log(self) -> str:
        """Return what QEMU has logged, by `-d` and by `-trace`."""
        with open(self._log) as log:
            log.seek(self._log_start)
            return log.read()

    def save_state(self, path: str) -> None:
        """Stop the machine and write all of it to @path."""
        self.qmp("stop")
        self.qmp("migrate", uri=f"exec:cat > {shlex.quote(path)}")
        while (status := self.qmp("query-migrate")["status"]) != "completed":
            assert status not in ("failed", "cancelled"), self.report()
            time.sleep(0.02)
