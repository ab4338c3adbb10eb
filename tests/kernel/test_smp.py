"""Several CPUs: each with a region, tables and stacks of its own. Witnesses are QEMU, which runs
each in a thread, and Bochs."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ktap
from bochs import Bochs
from conftest import NO_SCREEN, Start, stopped_at_prompt
from manuals import CONSTANTS
from elf.structures import offset
from elf.symbols import Symbol
from emulator.qemu import clock_of_instructions
from guest import PROMPT
from qemu import Qemu

CPUS = 4
ROUNDS = 20  # without a lock the first is enough
OF_DEVICES = ["irq-keyboard", "irq-serial", "spurious-pic", "spurious-pic-eoi"]
NMIS = 1000  # for about half a second: the report takes less
ABSENT = 0x77  # the ID of no APIC
BASE, SIZE = CONSTANTS["CPU_BASE"], CONSTANTS["CPU_REGION_SIZE"]
KERNEL_STACK = range(CONSTANTS["KERNEL_STACK_LOW"], CONSTANTS["KERNEL_STACK_HIGH"])

# The task state: SDM vol. 3, figure 7-11. RSP0, and the first two IST slots.
TSS_RSP0, TSS_IST1, TSS_IST2 = 4, 36, 44
STACKS = {TSS_RSP0: "KERNEL_STACK_HIGH", TSS_IST1: "DF_STACK_HIGH", TSS_IST2: "MC_STACK_HIGH"}

# APIC IDs 0, 1, 256 and 300.
FAR_CPUS = ["-machine", "q35,kernel-irqchip=split", "-device", "intel-iommu,intremap=on,eim=on"]
FAR_CPUS += ["-smp", "cpus=2,maxcpus=512,sockets=2,cores=256,threads=1"]
for core in (0, 44):
    FAR_CPUS += ["-device", f"max-x86_64-cpu,socket-id=1,core-id={core},thread-id=0"]

MASKED = 1 << 16  # SDM vol. 3, figure 10-8

LINE = re.compile(
    r"CPU (\d+): (?:xAPIC|x2APIC) ID \d+, region 0x([0-9a-f]{16}), "
    r"(?:1 trap|(?!1 )\d+ traps)(?:; the monitor runs here)?"
)
TRIAL = "CPU {} changes a page: {} of the {} others read the old one, 0 behind the shootdown"

PANIC = re.compile(r"KERNEL PANIC(?s:.*)\nSystem Halted\.\n")
OTHER = re.compile(
    r"^  CPU (\d+)  RIP=(\w{16}) RSP=(\w{16})\n         in (\S+?)(?:\+0x\w+)?\n", re.MULTILINE
)
MACHINE_CHECK = "mce {} 1 0xbd00000000000000 0x5 0x12345000 0x8c"


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


def told(text: str) -> dict[int, int]:
    """The regions that `cpus` tells of, by CPU. Every line must be whole."""
    lines = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(lines), text
    return {int(line[1]): int(line[2], 16) for line in lines}


def expected(count: int) -> dict[int, int]:
    return {number: BASE + number * SIZE for number in range(count)}


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


def test_lines_come_whole(cpus: Qemu) -> None:
    """All CPUs print at once."""
    for _ in range(ROUNDS):
        assert told(cpus.ask("cpus")) == expected(CPUS)


def calls(machine: Qemu) -> int:
    """How often a CPU was called by another, as `vectors` tells."""
    return int(re.search(r"^ +240 +CALL .* (\d+)  Call", machine.ask("vectors"), re.MULTILINE)[1])


def test_traps_are_counted_on_all_cpus(cpus: Qemu) -> None:
    before = calls(cpus)
    cpus.ask("cpus")
    assert calls(cpus) == before + CPUS - 1


def test_no_cpu_keeps_an_old_translation(cpus: Qemu) -> None:
    """Without a shootdown each would: QEMU keeps translations as a CPU does."""
    lines = cpus.ask("tlb").splitlines()
    assert lines == [TRIAL.format(changer, CPUS - 1, CPUS - 1) for changer in range(CPUS)]


def test_a_fault_on_a_cpu_of_choice(cpus: Qemu) -> None:
    for number in range(CPUS):
        answer = cpus.ask(f"raise ud-ud2 on {number}")
        assert "result: name=ud-ud2 pass\n" in answer
        rsp = int(re.search(r"^trap: .* rsp=0x(\w+)", answer, re.MULTILINE)[1], 16)
        assert rsp - number * SIZE in KERNEL_STACK


@pytest.mark.parametrize("word", [str(CPUS), "x"])
def test_a_cpu_that_is_not_there(word: str, cpus: Qemu) -> None:
    told = cpus.ask(f"raise ud-ud2 on {word}")
    assert "There is no CPU" in told and "`cpus` lists" in told


def test_the_catalogue_on_another_cpu(iso: str) -> None:
    """In time that instructions make, so that the timer ticks in the same places on any host."""
    options = (*NO_SCREEN, "-smp", "2", *clock_of_instructions())
    with Qemu(iso, options=options) as machine:
        machine.wait_for(PROMPT)
        here, there = (ktap.parse(machine.ask(line)) for line in ("check", "check on 1"))
    differ = [(one.name, other.directive) for one, other in zip(here, there) if one != other]
    assert differ == [(name, "SKIP the devices interrupt CPU 0 alone") for name in OF_DEVICES]


def others(report: str) -> dict[int, tuple[int, int, str]]:
    """What a panic tells of the other CPUs: RIP, RSP and the function."""
    section = report[report.index("\nOther CPUs\n") :]
    rows = OTHER.findall(section)
    found = {int(n): (int(rip, 16), int(rsp, 16), name) for n, rip, rsp, name in rows}
    assert len(found) == len(rows)
    return found


def test_a_panic_stops_the_others(at_prompt: Start) -> None:
    with at_prompt("four CPUs") as machine:
        machine.type("panic on 2")
        report = machine.wait_for(PANIC).group()
        found = registers(machine)
    assert report.startswith(f"KERNEL PANIC: Invalid Opcode\nCPU     2 (of 0 to {CPUS - 1})\n")
    stopped = others(report)
    assert stopped.keys() == {0, 1, 3}
    assert [stopped[number][2] for number in (1, 3)] == ["call_take", "call_take"]
    for number, (_, rsp, _) in stopped.items():  # the NMI's frame lies below, and there it is
        assert rsp - number * SIZE in KERNEL_STACK
        assert 0 < rsp - found[number]["RSP"] < 512


def test_an_nmi_does_not_end_the_report(at_prompt: Start) -> None:
    """From outside they come to CPU 0, which reports."""
    with at_prompt("four CPUs") as machine:
        machine.type("panic")
        for _ in range(NMIS):
            machine.qmp("inject-nmi")
        report = machine.wait_for(PANIC).group()
    assert others(report).keys() == {1, 2, 3}


@pytest.mark.parametrize("_", range(3))
def test_all_panic_at_once(_: int, at_prompt: Start) -> None:
    """A machine check comes to every CPU: one reports, and the others are in its report, also those
    that its NMI did not get through to because they had just panicked."""
    with at_prompt("four CPUs") as machine:
        machine.qmp("stop")
        for number in range(CPUS):
            machine.hmp(MACHINE_CHECK.format(number))
        machine.qmp("cont")
        report = machine.wait_for(PANIC).group()
        text = machine.text
    assert text.count("KERNEL PANIC") == text.count("System Halted") == 1
    reporter = int(re.search(r"^CPU     (\d) \(of", report, re.MULTILINE)[1])
    assert others(report).keys() == set(range(CPUS)) - {reporter}


JMP_TO_ITSELF = bytes.fromhex("ebfe")


def test_a_machine_check_of_another_cpu_is_none_of_a_running_fault(
    iso: str, state: Callable[[str], str], tmp_path: Path, symbols: dict[str, Symbol]
) -> None:
    """The fault's code has every exception vector meanwhile, and waits for ever."""
    code = symbols["fault_ud_ud2"].address
    with stopped_at_prompt(iso, state, "four CPUs", tmp_path) as (machine, stub):
        stub.write(code, JMP_TO_ITSELF)
        stub.detach()
        machine.type("raise ud-ud2")
        while f"RIP={code:016x}" not in machine.hmp("info registers"):
            pass
        machine.hmp(MACHINE_CHECK.format(2))
        report = machine.wait_for(PANIC).group()
    assert report.startswith("KERNEL PANIC: Machine Check\nCPU     2 (of 0 to 3)\n")
    assert others(report)[0][2] == "fault_ud_ud2"


def test_a_cpu_that_does_not_answer(
    iso: str, state: Callable[[str], str], tmp_path: Path, elf: str
) -> None:
    """The NMI goes to an APIC that is not there."""
    place = BASE + 3 * SIZE + offset(elf, "cpu", "apic_id")
    with stopped_at_prompt(iso, state, "four CPUs", tmp_path) as (machine, stub):
        stub.write(place, struct.pack("<I", ABSENT))
        stub.detach()
        machine.type("panic")
        report = machine.wait_for(PANIC).group()
    assert "\n  CPU 3  does not answer the NMI\n" in report
    assert others(report).keys() == {1, 2}


def test_a_panic_waits_for_no_lock(
    iso: str, state: Callable[[str], str], tmp_path: Path, symbols: dict[str, Symbol]
) -> None:
    """Another CPU is in the middle of a line, and never ends it."""
    with stopped_at_prompt(iso, state, "four CPUs", tmp_path) as (machine, stub):
        stub.write(symbols["speaker"].address, struct.pack("<Q", BASE + 3 * SIZE))
        stub.detach()
        machine.hmp(MACHINE_CHECK.format(0))
        report = machine.wait_for(PANIC).group()
    assert others(report).keys() == {1, 2, 3}


def test_apic_ids_of_32_bits(iso: str, at_prompt: Start) -> None:
    """Two CPUs of a second socket, in a machine with room for 512: the MADT has the ID of each in a
    Local x2APIC structure."""
    with at_prompt() as machine:
        if "x2APIC" not in machine.ask("cpus"):
            pytest.skip("QEMU has x2APIC mode from 9.0 on")
    with Qemu(iso, options=(*NO_SCREEN, *FAR_CPUS)) as machine:
        machine.wait_for(PROMPT)
        assert set(re.findall(r"x2APIC ID (\d+)", machine.ask("cpus"))) == {"0", "1", "256", "300"}
        assert machine.ask("tlb").count(" 0 behind the shootdown\n") == CPUS
        assert "not ok" not in machine.ask("storm 5000 traps")


def test_bochs_has_them_too(iso: str) -> None:
    with Bochs(iso, cpus=2) as machine:
        machine.wait_for(PROMPT)
        assert told(machine.ask("cpus")) == expected(2)
        assert machine.ask("tlb").count(" 0 behind the shootdown\n") == 2
        answer = machine.ask("raise df-stack-overflow on 1")
        assert "result: name=df-stack-overflow pass\n" in answer
        machine.type("panic on 1")
        report = machine.wait_for(PANIC).group()
    assert others(report).keys() == {0}
