"""A kernel in QEMU that is put back to one of several moments of a trap, in milliseconds, as often
as somebody likes: for experiments that end it."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import tempfile
import time

import gdbstub
from elf.symbols import Symbol
from emulator.qemu import NO_SCREEN, qemu_command
from emulator.qmp import Qmp
from emulator.qmp import options as qmp_options
from gdbstub import GdbStub, Lost, Registers

BOOT_LIMIT = 120  # seconds
ANSWER_LIMIT = 60  # seconds, for QEMU itself

# A snapshot holds all memory that was ever written: little memory, quick snapshots.
MEMORY = "48M"

RESULT = b"\nresult: "
HALTED = b"System Halted."
PROMPT = b"barestub> "


class Machine:
    """One QEMU at the monitor's prompt. Use it in a `with`: it never outlives the block."""

    def __init__(self, iso: str, symbols: dict[str, Symbol]) -> None:
        self.symbols = symbols
        self.said = b""  # by the guest, since the last moment was restored
        self.has_reset = False
        self._directory = tempfile.TemporaryDirectory(prefix="barestub-damage-")
        self._serial, serial = socket.socketpair()
        control, control_theirs = socket.socketpair()
        snapshots, gdb = (os.path.join(self._directory.name, name) for name in ("disk", "gdb"))
        create = ["qemu-img", "create", "-q", "-f", "qcow2", snapshots, "4G"]
        subprocess.run(create, check=True)
        command = qemu_command(iso, False, self._directory.name)
        command += ["-display", "none", *NO_SCREEN, "-m", MEMORY]
        command += ["-chardev", f"socket,id=serial,fd={serial.fileno()}"]
        command += ["-serial", "chardev:serial", *qmp_options(control_theirs.fileno())]
        command += gdbstub.options(gdb)
        command += ["-drive", f"if=none,id=s,format=qcow2,cache=unsafe,file={snapshots}"]
        # A reset leaves a machine that the next moment is restored on.
        command += ["-action", "reboot=shutdown,shutdown=pause"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[serial.fileno(), control_theirs.fileno()],
        )
        serial.close()
        control_theirs.close()
        self._control = Qmp(control, ANSWER_LIMIT)
        self._control.execute("qmp_capabilities")
        self._wait_for_prompt()
        self.stub = GdbStub(gdb)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._serial.close()
        self._control.close()
        self._directory.cleanup()

    def _wait_for_prompt(self) -> None:
        end = time.monotonic() + BOOT_LIMIT
        while PROMPT not in self.said:
            if time.monotonic() > end or not self._listen(1):
                raise Lost(f"no prompt: {self.said.decode('ascii', 'replace')}")

    def _listen(self, seconds: float) -> bool:
        """Hear what the guest says within @seconds; false if it can say no more."""
        if not select.select([self._serial], [], [], seconds)[0]:
            return True
        try:
            data = self._serial.recv(65536)
        except ConnectionResetError:
            data = b""
        self.said += data
        return bool(data)

    def type(self, line: str) -> None:
        self._serial.sendall(line.encode() + b"\n")

    def keep(self, moment: str) -> Registers:
        """Keep the present state of the stopped machine as @moment; return its registers."""
        self._hmp(f"savevm {moment}")
        return self.stub.registers()

    def restore(self, moment: str) -> None:
        """Put the machine, which must be stopped, back to @moment."""
        self._hmp(f"loadvm {moment}")
        while select.select([self._serial], [], [], 0)[0]:
            self._serial.recv(65536)
        self.said = b""
        self.has_reset = False
        self._control.events.clear()

    def _hmp(self, line: str) -> None:
        answer = self._control.execute("human-monitor-command", **{"command-line": line})
        if answer:
            raise Lost(f"{line}: {answer}")

    def run(self, seconds: float) -> str:
        """Let it run until it is stopped by a breakpoint, has reset, has halted or has told a
        result. Return "stopped", "reset", "halted", "told", or after @seconds "hang". It is
        stopped in any case."""
        self.stub.go()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            select.select([self.stub, self._serial, self._control], [], [], left)
            if select.select([self._control], [], [], 0)[0]:
                self._control.receive()
            self._listen(0)
            if any(event["event"] in ("RESET", "SHUTDOWN") for event in self._control.events):
                self._halt()
                return "reset"
            if self.stub.is_stopped():
                return "stopped"
            if HALTED in self.said:
                self._halt()
                return "halted"
            if RESULT in self.said and self.said.endswith(PROMPT):
                self._halt()
                return "told"
        self._halt()
        return "hang"

    def _halt(self) -> None:
        self._control.execute("stop")
        self.stub.wait_stopped()

    def cr3(self) -> int:
        text = self._control.execute(
            "human-monitor-command", **{"command-line": "info registers"}
        )
        return int(re.search(r"CR3=([0-9a-f]+)", text)[1], 16)

    def physical(self, is_physical: bool) -> None:
        """Let the stub's addresses be physical ones, or virtual ones again."""
        assert self.stub.command(f"Qqemu.PhyMemMode:{int(is_physical)}") == "OK"

