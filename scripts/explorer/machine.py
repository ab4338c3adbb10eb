"""The machine that is recorded: one QEMU at the monitor's prompt, which raises one entry after
another and logs each instruction that matters."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from emulator.qemu import EMULATOR, qemu_command
from emulator.qmp import Qmp, QmpError, options
from explorer.memory import Memory

PROMPT = b"barestub> "
BOOT_TIMEOUT, ENTRY_TIMEOUT = 60, 30  # seconds
LOG = "int,in_asm,cpu,exec,nochain"
LOG_OF_DELIVERIES = "int"
LIMIT = 8 << 20  # bytes of log for one entry: the entry waits for something, in a loop
POLL = 0.1

IDT_SIZE, TSS_SIZE = 256 * 16, 104
TABLE = re.compile(r"^(IDT|TR) *=(?:[0-9a-f]+)? +([0-9a-f]+)", re.MULTILINE)


@dataclass
class Raised:
    """What the kernel has said of an entry."""

    name: str
    text: str
    is_long: bool = False  # its log was cut: it waits for something, in a loop
    has_ended: bool = False  # the machine


class Ended(Exception):
    """The machine has ended, or says no more. The text is what it has said last."""


class Machine:
    """Use it in a `with`: it never outlives the block."""

    def __init__(self, iso: Path, where: list[range], exact: bool = True) -> None:
        """Boot @iso, logging the instructions in the ranges @where. If @exact, time goes by the
        instructions executed, so that each run is the same."""
        self._directory = tempfile.TemporaryDirectory(prefix="barestub-trace-")
        self._log = Path(self._directory.name, "qemu.log")
        self._log.touch()
        self._cuts: list[list[int]] = []  # where in the log a part is missing
        ours, theirs = socket.socketpair()
        command = qemu_command(str(iso), False, self._directory.name)
        command += ["-display", "none", "-vga", "none"]
        command += ["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
        command += options(theirs.fileno())
        command += ["-D", str(self._log)]
        command += ["-dfilter", ",".join(f"{r.start:#x}+{len(r):#x}" for r in where)]
        if exact:
            command += ["-icount", "shift=3,sleep=off"]
        pipe = subprocess.PIPE
        with theirs:
            self._process = subprocess.Popen(
                command, bufsize=0, stdin=pipe, stdout=pipe, pass_fds=[theirs.fileno()]
            )
        self._qmp = Qmp(ours, BOOT_TIMEOUT)
        self._qmp.execute("qmp_capabilities")
        self._wait(BOOT_TIMEOUT)
        self._look_closely()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._qmp.close()
        self._directory.cleanup()

    def _look_closely(self) -> None:
        """Translate, and log, each instruction on its own from now on: booting so takes seconds."""
        self._hmp("stop")
        if "unknown command" in self._hmp("one-insn-per-tb on"):
            self._hmp("singlestep on")  # before QEMU 8.1
        self._hmp(f"log {LOG}")
        self._hmp("cont")

    def _hmp(self, line: str) -> str:
        return self._qmp.execute("human-monitor-command", **{"command-line": line})

    def tables(self) -> Memory:
        """The IDT and the TSS as they are now."""
        memory = Memory()
        where = {name: int(at, 16) for name, at in TABLE.findall(self._hmp("info registers"))}
        for name, size in (("IDT", IDT_SIZE), ("TR", TSS_SIZE)):
            file = Path(self._directory.name, name)
            address = where[name]
            signed = address - (1 << 64) if address >> 63 else address  # as QMP wants it
            self._qmp.execute("memsave", val=signed, size=size, filename=str(file))
            memory.put(address, file.read_bytes())
        return memory

    def raise_fault(self, name: str, timeout: float = ENTRY_TIMEOUT) -> Raised:
        """Raise the entry @name. Raises Ended if the prompt does not come back."""
        self._process.stdin.write(f"raise {name}\n".encode())
        before = self._log.stat().st_size
        is_long = False

        def is_too_long() -> None:
            nonlocal is_long
            size = self._log.stat().st_size
            if not is_long and size - before > LIMIT:
                is_long = True
                self._hmp(f"log {LOG_OF_DELIVERIES}")
                self._cuts.append([size, size])

        text = self._wait(timeout, is_too_long)
        if is_long:
            self._cuts[-1][1] = self._log.stat().st_size
            self._hmp(f"log {LOG}")
        return Raised(name, text, is_long)

    def _wait(self, timeout: float, watch=lambda: None) -> str:
        """Wait for the prompt; return what stands in front of it."""
        said = b""
        end = time.monotonic() + timeout
        output = self._process.stdout.fileno()
        while not said.endswith(PROMPT):
            watch()
            if select.select([output], [], [], POLL)[0]:
                data = os.read(output, 65536)
                if not data:
                    raise Ended(_text(said))
                said += data
            elif time.monotonic() > end:
                raise Ended(_text(said))
        return _text(said)

    def stop(self) -> None:
        """Let it do nothing more."""
        try:
            self._hmp("stop")
        except QmpError:
            pass  # it has ended

    def log(self) -> str:
        """Return what QEMU has logged so far, all of it once the machine is stopped, and nothing of
        the times of which it has logged a part."""
        data = self._log.read_bytes()
        for begin, end in reversed(self._cuts):
            whole = data.rfind(b"\nTrace ", 0, begin) + 1
            data = data[:whole] + data[end:]
        return data.decode(errors="replace")


def _text(said: bytes) -> str:
    return said.decode("ascii", "replace").replace("\r", "")


def version() -> str:
    """Return QEMU's version, such as "7.2.22"."""
    done = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True)
    return re.search(r"version (\d[\d.]*)", done.stdout)[1]
