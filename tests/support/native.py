"""The catalogue's ring 3 entries in a Linux process on this machine's CPU: tests/silicon/native."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import deviations
import trapline
from catalogue import is_own
from deviations import Judgement, Implementation
from trapline import Fields

ROOT = Path(__file__).parents[2]
TIMEOUT = 60
REASONS = ROOT / "tests" / "silicon" / "native.toml"
RESULT = re.compile(r"(?:^(?:expect|deviates|override|trap): .*\n)*^result: name=(\S+) .*\n", re.MULTILINE)
VECTOR_CLASS = re.compile(r'^VECTOR\((\d+), \w+, "[^"]*", (\w+),', re.MULTILINE)
CPU_FIELD = re.compile(r"^([^\t\n]+)\t*: (.*)$", re.MULTILINE)

UNDER, ALONE = " under a hypervisor", " on its own"

# SDM vol. 1, 3.4.3. A process cannot clear IF.
RFLAGS_IF = 1 << 9
RFLAGS_RF = 1 << 16


def raise_all(build: Path) -> dict[str, trapline.Raised]:
    """Return what the program in @build says, by the names of the entries."""
    done = subprocess.run(
        [build / "silicon" / "native"], capture_output=True, text=True, check=True, timeout=TIMEOUT
    )
    return {match[1]: trapline.parse(match[0]) for match in RESULT.finditer(done.stdout)}


def reasons() -> dict[str, str]:
    """Return why an entry cannot be given here, for those that cannot."""
    listed = tomllib.loads(REASONS.read_text())["not_applicable"]
    return {case: group["reason"] for group in listed for case in group["cases"]}


def cpu() -> dict[str, str]:
    """Return what Linux says of the CPU."""
    return dict(CPU_FIELD.findall(Path("/proc/cpuinfo").read_text()))


def machine() -> Implementation:
    """Return this CPU as the table of deviations names it. Linux's "hypervisor" is CPUID's bit."""
    info = cpu()
    name = f"{info['vendor_id']} family {info['cpu family']} model {info['model']}"
    is_guest = "hypervisor" in info["flags"].split()
    return Implementation(deviations.SILICON, name + (UNDER if is_guest else ALONE))


def without_place(version: str) -> str:
    """Return the CPU alone of machine()'s version."""
    return version.removesuffix(UNDER).removesuffix(ALONE)


def judge(case: str, seen: trapline.Raised) -> Judgement:
    """Hold @seen against the architecture and against the table's rows for @case."""
    expected = list(map(without_if, seen.expected))
    if is_own(case):
        judgement = deviations.judge_by_own_rows(expected, seen)
    else:
        rows = deviations.find(deviations.load(), deviations.SILICON, case)
        judgement = deviations.judge(expected, seen.traps, rows, machine())
    judgement.wrong += [line for trap in seen.traps for line in _wrong_rf(trap)]
    if not judgement.deviation and seen.result != "pass":
        judgement.wrong.append(seen.result)
    return judgement


def without_if(expected: Fields) -> Fields:
    """What is expected of a program that runs with interrupts on."""
    masked = dict(expected)
    for name in deviations.RFLAGS_BITS & masked.keys():
        masked[name] &= ~RFLAGS_IF
    return masked


def _wrong_rf(trap: Fields) -> list[str]:
    """A fault pushes RF set, so that its instruction can run again past a breakpoint on it; a
    trap pushes it clear. SDM vol. 3, 17.3.1.1."""
    classes = dict(VECTOR_CLASS.findall((ROOT / "kernel" / "trap" / "vectors.def").read_text()))
    due = {"FAULT": RFLAGS_RF, "TRAP": 0}.get(classes[str(trap["vector"])])
    if due is None or trap["rflags"] & RFLAGS_RF == due:
        return []
    return [f"RF is wrong in RFLAGS {trap['rflags']:#x} of vector {trap['vector']}"]
