"""Most of a boot is the BIOS, and GRUB until it reads its configuration: the same for each ISO. So
it is done once. The machine is saved there, and others go on from it with an ISO of their own:

    waiting.iso    BIOS    GRUB    its modules    waiting.cfg: waits at a port
                                                       |
                                                  saved, in build/
                                                       |
    any ISO                                       its grub.cfg    its kernel

It is still GRUB that reads the ISO, and loads its kernel as the ISO's configuration says. What it
waits for is that the port has gone: a saved machine is the states of its devices, not that they are
there, and the debug console of the one that waits is in none that goes on. Nobody has to tell it.

The state is a machine's of one CPU without a screen. GRUB uses nothing by which CPU models differ,
so it does for all of them, and by any clock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import select
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from emulator.qemu import EMULATOR, NO_SCREEN, clock_of_instructions, qemu_command
from emulator.qmp import Qmp, QmpError
from emulator.qmp import options as qmp_options

ROOT = Path(__file__).parents[2]
# A test of another build, such as a broken kernel's, names the one where the state is.
BUILD = Path(os.environ.get("STATE_BUILD") or os.environ.get("BUILD", ROOT / "build")).absolute()
ISO = BUILD / "waiting.iso"
CONFIGURATION = Path(__file__).with_name("waiting.cfg")
SOURCES = [CONFIGURATION, ROOT / "Makefile", *Path(__file__).parent.glob("*.py")]

PORT = 0xE9  # as in waiting.cfg
TIMEOUT = 60  # seconds: GRUB waits for three of them
LAST_WORDS = 600  # characters

CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n -~]")


class NeverWaits(Exception):
    """GRUB does not come to where it should wait. The text has its words."""


def options() -> list[str]:
    """Return the options for a machine of one CPU that shall have no screen, and go on behind
    GRUB's start. Raises NeverWaits."""
    return [*NO_SCREEN, "-incoming", f"exec:cat {shlex.quote(str(state()))}"]


def state() -> Path:
    """Return the saved machine; make it if there is none, or an old one. Raises NeverWaits."""
    emulator = Path(shutil.which(EMULATOR) or EMULATOR).resolve()
    kind = hashlib.sha256(f"{emulator} {emulator.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    path, partial = BUILD / f"waiting-{kind}.state", BUILD / f"waiting-{kind}.partial"
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or path.stat().st_mtime < max(s.stat().st_mtime for s in SOURCES):
            make = ["make", "-s", "--no-print-directory", f"BUILD={BUILD}", str(ISO)]
            subprocess.run(make, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            save(ISO, partial)
            partial.rename(path)
    return path


def save(iso: Path, path: Path, timeout: float = TIMEOUT) -> None:
    """Write to @path the machine that waits in @iso. Raises NeverWaits."""
    ours, theirs = socket.socketpair()
    command = [*_machine(iso), "-serial", "null", *qmp_options(theirs.fileno())]
    command += clock_of_instructions()  # three seconds of the guest are one of ours
    command += ["-chardev", "stdio,id=port,signal=off"]
    command += ["-device", f"isa-debugcon,iobase={PORT:#x},chardev=port"]
    with _start(command, [theirs.fileno()]) as process:
        theirs.close()
        try:
            if not _hear(process, timeout, 1):
                words = _words(iso, timeout)
                raise NeverWaits(f"GRUB never waits in {iso}. Its last words:\n{words}")
            qmp = Qmp(ours, timeout)
            qmp.execute("qmp_capabilities")
            path.write_bytes(_migrate(qmp))
        finally:
            process.kill()
            ours.close()


def _migrate(qmp: Qmp) -> bytes:
    """Return the running machine, which runs on wherever this is loaded."""
    with tempfile.TemporaryDirectory(prefix="barestub-") as directory, socket.socket(
        socket.AF_UNIX
    ) as server:
        name = os.path.join(directory, "state")
        server.bind(name)
        server.listen()
        server.settimeout(TIMEOUT)
        qmp.execute("migrate", uri=f"unix:{name}")
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as state:
            saved = state.read()
    if (status := qmp.execute("query-migrate")["status"]) != "completed":
        raise QmpError(f"QEMU does not save its machine: {status}")
    return saved


def _machine(iso: Path) -> list[str]:
    return [
        *qemu_command(str(iso), uefi=False, directory=""),
        *NO_SCREEN,
        *("-display", "none"),
    ]


def _start(command: list[str], inherited: list[int]) -> subprocess.Popen[bytes]:
    ends = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "bufsize": 0}
    return subprocess.Popen(command, pass_fds=inherited, **ends)


def _hear(process: subprocess.Popen[bytes], timeout: float, size: int) -> bytes:
    """Return @size bytes of @process, or less at its end or after @timeout seconds."""
    heard = b""
    end = time.monotonic() + timeout
    pipe = process.stdout.fileno()
    while len(heard) < size and select.select([pipe], [], [], max(0, end - time.monotonic()))[0]:
        data = os.read(pipe, size - len(heard))
        if not data:
            break
        heard += data
    return heard


def _words(iso: Path, timeout: float) -> str:
    """Return what GRUB says in @iso: a BIOS without a screen can say it on the serial line."""
    command = [*_machine(iso), "-machine", "pc,graphics=off", "-serial", "stdio"]
    with _start(command, []) as process:
        heard = _hear(process, timeout, 1 << 20)
        process.kill()
    return CONTROL_SEQUENCE.sub("", heard.decode("ascii", "replace"))[-LAST_WORDS:]
