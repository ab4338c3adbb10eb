"""Several CPUs: each with a region, tables and stacks of its own. QEMU, which runs each in a thread of its
own, and Bochs are the witnesses."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import pytest

from bochs import Bochs
from conftest import Start
from manuals import CONSTANTS
from qemu import Qemu
from guest import PROMPT

CPUS = 4
BASE, SIZE = CONSTANTS["CPU_BASE"], CONSTANTS["CPU_REGION_SIZE"]
KERNEL_STACK = range(CONSTANTS["KERNEL_STACK_LOW"], CONSTANTS["KERNEL_STACK_HIGH"])

# The task state: SDM vol. 3, figure 7-11. RSP0, and the first two IST slots.
TSS_RSP0, TSS_IST1, TSS_IST2 = 4, 36, 44
STACKS = {TSS_RSP0: "KERNEL_STACK_HIGH", TSS_IST1: "DF_STACK_HIGH", TSS_IST2: "MC_STACK_HIGH"}

MASKED = 1 << 16  # SDM vol. 3, figure 10-8

LISTED = re.compile(r"^ +\d+ +\d+ +0x([0-9a-f]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def cpus(at_prompt: Start) -> Iterator[Qemu]:
    """A machine of four CPUs at the prompt, for tests that leave it as it is."""
    with at_prompt("four CPUs") as machine:
        yield machine


def registers(machine: Qemu) -> list[dict[str, int]]:
    """What QEMU says of each CPU: RSP and CR3, and the bases of TR, GDT and IDT."""
    found = []
    for text in machine.hmp("info registers -a").split("CPU#")[1:]:
        one = {name: int(value, 16) for name, value in re.findall(r"(RSP|CR3)=(\w+)", text)}
        tables = re.findall(r"^(TR |GDT|IDT) ?=(?:\w{4})? +(\w+)", text, re.MULTILINE)
        found.append(one | {name.strip(): int(value, 16) for name, value in tables})
    return found


def regions(text: str) -> list[int]:
    """Where the regions are that `cpus` lists."""
    return [int(region, 16) for region in LISTED.findall(text)]


def test_each_cpu_has_its_own_tables_and_stacks(cpus: Qemu) -> None:
    cpus.ask("cpus")
    found = registers(cpus)
    assert len(found) == CPUS
    for number, cpu in enumerate(found):
        region = BASE + number * SIZE
        assert cpu["TR"] == region
        assert region < cpu["GDT"] < region + SIZE
        assert cpu["RSP"] - number * SIZE in KERNEL_STACK
        task = cpus.virtual(cpu["TR"], 104)
        tops = {at: struct.unpack_from("<Q", task, at)[0] - number * SIZE for at in STACKS}
        assert tops == {at: CONSTANTS[name] for at, name in STACKS.items()}
    for shared in ("CR3", "IDT"):
        assert len({cpu[shared] for cpu in found}) == 1


def test_an_nmi_from_outside_comes_to_the_first_alone(cpus: Qemu) -> None:
    """The wire leads to the LINT1 of each."""
    for number in range(CPUS):
        text = cpus.hmp(f"info lapic {number}")
        is_masked = bool(int(re.search(r"^LVT1\s+0x(\w+)", text, re.MULTILINE)[1], 16) & MASKED)
        assert is_masked == (number > 0)


def test_the_list(cpus: Qemu) -> None:
    assert regions(cpus.ask("cpus")) == [BASE + number * SIZE for number in range(CPUS)]


def test_bochs_starts_them_too(iso: str) -> None:
    with Bochs(iso, cpus=2) as machine:
        machine.wait_for(PROMPT)
        assert regions(machine.ask("cpus")) == [BASE, BASE + SIZE]
