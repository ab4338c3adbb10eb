"""Real silicon: the catalogue's ring 3 entries in a Linux process on this CPU, by the trap number,
error code, CR2, RIP and RFLAGS of the signals' contexts."""

from __future__ import annotations

import platform
import re
import subprocess
import tomllib
import warnings

import pytest

import deviations
import trapline
from catalogue import entries
from conftest import BUILD, ROOT
from deviations import Machine
from trapline import Fields
from truth import Case, Truth

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="this is no x86-64 CPU")

TIMEOUT = 60
REASONS = ROOT / "tests" / "silicon" / "native.toml"
RESULT = re.compile(r"(?:^(?:expect|trap): .*\n)*^result: name=(\S+) .*\n", re.MULTILINE)
VECTOR_CLASS = re.compile(r'^VECTOR\((\d+), \w+, "[^"]*", (\w+),', re.MULTILINE)

# SDM vol. 1, 3.4.3. A process cannot clear IF.
RFLAGS_IF = 1 << 9
RFLAGS_RF = 1 << 16


@pytest.fixture(scope="session")
def raised() -> dict[str, trapline.Raised]:
    """What the program says, by the names of the entries."""
    done = subprocess.run(
        [BUILD / "silicon" / "native"], capture_output=True, text=True, check=True, timeout=TIMEOUT
    )
    return {match[1]: trapline.parse(match[0]) for match in RESULT.finditer(done.stdout)}


@pytest.fixture(scope="session")
def reasons() -> dict[str, str]:
    """Why an entry cannot be given here, for those that cannot."""
    listed = tomllib.loads(REASONS.read_text())["not_applicable"]
    return {case: group["reason"] for group in listed for case in group["cases"]}


@pytest.fixture(scope="session")
def info() -> dict[str, str]:
    """What Linux says of this CPU."""
    with open("/proc/cpuinfo") as file:
        return dict(re.findall(r"^([^\t\n]+)\t*: (.*)$", file.read(), re.MULTILINE))


@pytest.fixture(scope="session")
def here(info: dict[str, str]) -> Machine:
    """This CPU as the table of deviations names it. Linux's "hypervisor" is CPUID's bit."""
    between = "under a hypervisor" if "hypervisor" in info["flags"].split() else "on its own"
    cpu = f"{info['vendor_id']} family {info['cpu family']} model {info['model']}"
    return Machine(deviations.SILICON, f"{cpu} {between}")


@pytest.fixture(scope="session")
def machine(info: dict[str, str], here: Machine) -> str:
    """This CPU and its Linux, in words."""
    return f"{info['model name']}, {here.version}, Linux {platform.release()}"


def without_if(expected: Fields) -> Fields:
    """What is expected of a program that runs with interrupts on."""
    masked = dict(expected)
    for name in ("rflags_set", "rflags_clear"):
        if name in masked:
            masked[name] &= ~RFLAGS_IF
    return masked


def wrong_rf(trap: Fields) -> list[str]:
    """A fault pushes RF set, so that its instruction can run again past a breakpoint on it; a
    trap pushes it clear. SDM vol. 3, 17.3.1.1."""
    classes = dict(VECTOR_CLASS.findall((ROOT / "kernel" / "trap" / "vectors.def").read_text()))
    due = {"FAULT": RFLAGS_RF, "TRAP": 0}.get(classes[str(trap["vector"])])
    if due is None or trap["rflags"] & RFLAGS_RF == due:
        return []
    return [f"RF is wrong in RFLAGS {trap['rflags']:#x} of vector {trap['vector']}"]


@pytest.mark.parametrize("name", entries())
def test_fault(
    name: str,
    raised: dict[str, trapline.Raised],
    reasons: dict[str, str],
    machine: str,
    here: Machine,
    truth: Truth,
) -> None:
    with truth.case("silicon", machine, name) as case:
        if name not in raised:
            pytest.skip("a process has no ring 0")
        case.expected = raised[name].expected
        judge(name, raised[name], reasons.get(name), here, case)


def judge(
    name: str, seen: trapline.Raised, reason: str | None, here: Machine, case: Case
) -> None:
    if seen.result.startswith("skip"):
        pytest.skip(seen.result.removeprefix("skip "))
    expected = [without_if(trap) for trap in seen.expected]
    rows = deviations.find(deviations.load(), here.emulator, name)
    judgement = deviations.judge(expected, seen.traps, rows, here)
    wrong = judgement.wrong + [line for trap in seen.traps for line in wrong_rf(trap)]
    if seen.result != "pass":
        wrong.append(seen.result)
    if reason:
        assert wrong, f"{name} can be given here: remove it from {REASONS.name}"
        pytest.skip(reason)
    assert not wrong, "\n".join([*wrong, *map(str, seen.traps)])
    if judgement.remark:
        warnings.warn(f"{name}: {judgement.remark}", stacklevel=1)
    if judgement.deviation:
        case.deviation = judgement.deviation.reason
