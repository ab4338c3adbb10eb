"""A kernel that runs its own command line in QEMU until it ends or hangs, without anyone typing."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulator import behind_grub
from emulator.qemu import (
    POWER_OFF,
    POWER_OFF_AFTER_FAILURE,
    clock_of_instructions,
    qemu_command,
)

ENDINGS = {POWER_OFF: "powered off", POWER_OFF_AFTER_FAILURE: "powered off after a failure"}
HALTED = b"System Halted."
HANGS = "stopped: it hangs"


@dataclass
class Played:
    """What the guest has said on its serial line, and how it ended."""

    text: str
    ending: str  # "powered off", ..., or what kept it from that: "stopped: ..."
    log: str  # of QEMU's `-d int`, if asked for


def _listen(
    process: subprocess.Popen[bytes],
    timeout: float,
    silence: float,
    is_enough: Callable[[str], bool],
) -> tuple[bytearray, str]:
    """Return what the guest says up to its end, and that end."""
    said = bytearray()
    end = time.monotonic() + timeout
    pipe = process.stdout.fileno()
    while select.select([pipe], [], [], max(0, min(silence, end - time.monotonic())))[0]:
        data = os.read(pipe, 65536)
        if not data:
            return said, ENDINGS.get(process.wait(), "stopped: it resets, after a triple fault")
        said += data
        if HALTED in said[-len(data) - len(HALTED) :]:
            return said, "stopped: it panics"
        if b"\n" in data and is_enough(_text(said)):
            return said, "stopped: it has said enough"
    return said, HANGS


def _text(said: bytearray) -> str:
    return said.decode("ascii", "replace").replace("\r", "")


def play(
    iso: Path,
    timeout: float,
    exact: bool = True,
    witness: bool = False,
    silence: float | None = None,
    is_enough: Callable[[str], bool] = lambda _: False,
) -> Played:
    """Start the kernel of @iso behind GRUB's start, for @timeout seconds at most, @silence of them
    without a word, or until @is_enough, asked after each line, says so of what the guest has said.
    If @exact, time goes by the instructions executed, so that each run is the same whatever the
    load. With @witness QEMU logs each trap. Raises NeverWaits."""
    with tempfile.TemporaryDirectory(prefix="barestub-") as directory:
        log = Path(directory, "int.log")
        command = qemu_command(str(iso), uefi=False, directory=directory)
        command += ["-display", "none", "-serial", "stdio", *behind_grub.options()]
        if exact:
            command += clock_of_instructions()
        if witness:
            command += ["-d", "int,cpu_reset", "-D", str(log)]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0
        ) as process:
            said, ending = _listen(process, timeout, silence or timeout, is_enough)
            process.kill()
        return Played(_text(said), ending, log.read_text(errors="replace") if witness else "")
