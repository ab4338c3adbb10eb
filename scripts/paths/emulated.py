"""Count what the kernel executes for a trap, exactly: in QEMU, which logs every instruction."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from elf.symbols import load
from emulator.qemu import NO_SCREEN, one_instruction_at_a_time, qemu_command

# What is raised, with its vector: one of each kind.
FAULTS = {
    "without a code": ("bp-int3", 3),
    "with a code": ("pf-null-read", 14),
    "where a code is missing": ("gp-int13", 13),
}

# QEMU names an instruction before it executes it, and once more if it was stopped at that point.
EXECUTED = re.compile(r"^Trace.*?/([0-9a-f]{16})/.*\n(?!Stopped)", re.MULTILINE)

# The kernel sets up the serial line late in boot and loses what came earlier.
LEADING_LINES = "\n" * 64

TIMEOUT = 120


def ranges(elf: Path) -> dict[str, range]:
    """Where the kernel's interrupt path and its dispatcher lie."""
    symbols = load(elf)
    stubs = range(symbols["isr_0_DE"].address, symbols["isr_255_SPURIOUS"].end)
    entry = range(symbols["trap_entry_code"].address, symbols["trap_entry"].end)
    dispatch = range(symbols["trap_dispatch"].address, symbols["trap_dispatch"].end)
    return {"stub": stubs, "entry": entry, "dispatch": dispatch}


def log_of(iso: Path, where: dict[str, range]) -> str:
    """QEMU's log of deliveries, and of each instruction in the ranges."""
    words = "".join(f"raise {fault}\n" for fault, _ in FAULTS.values())
    filters = ",".join(f"{r.start:#x}+{len(r):#x}" for r in where.values())
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        command = qemu_command(str(iso), False, directory)
        command += [*NO_SCREEN, "-display", "none", "-serial", "stdio", "-D", str(log)]
        command += [*one_instruction_at_a_time(), "-d", "int,exec,nochain", "-dfilter", filters]
        text = (LEADING_LINES + words + "poweroff\n").encode()
        subprocess.run(command, input=text, stdout=subprocess.DEVNULL, timeout=TIMEOUT)
        return log.read_text(errors="replace")


def count(build: Path) -> dict[str, dict[str, int]]:
    """The instructions of each kind of trap by part: stub, entry, dispatch."""
    where = ranges(build / "barestub.elf")
    log = log_of(build / "barestub.iso", where)
    counts: dict[int, dict[str, int]] = {}
    for delivery in re.split(r"^ *\d+: (?=v=)", log, flags=re.MULTILINE)[1:]:
        vector = int(delivery[2:4], 16)
        executed = [int(address, 16) for address in EXECUTED.findall(delivery)]
        parts = {name: sum(address in r for address in executed) for name, r in where.items()}
        if parts["stub"]:
            counts[vector] = parts
    return {kind: counts[vector] for kind, (_, vector) in FAULTS.items()}
