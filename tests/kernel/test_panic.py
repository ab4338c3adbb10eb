"""The panic report, field by field, against QEMU's record of the same trap."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

import saved_rflags
from intlog import Record
from qemu import Qemu

MACHINE_CHECK = 18

CODE_BEFORE, CODE_LENGTH = 8, 20  # bytes of code that are shown in front of RIP, and in all

GENERAL_REGISTERS = "RAX RBX RCX RDX RSI RDI RBP R8 R9 R10 R11 R12 R13 R14 R15".split()

# SDM vol. 1, 3.4.3.
RFLAGS_BITS = {"CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "TF": 8, "IF": 9, "DF": 10, "OF": 11}


@dataclass
class Case:
    """A trap that nobody handles, and what its report must say in words."""

    entry: str  # of the catalogue; none: the monitor's own
    vector: int
    title: str
    code: str  # the line about the error code
    ring: int = 0
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.entry or "ud"


NO_CODE = "none: the CPU pushed no code"
CASES = [
    Case("", 6, "Invalid Opcode", NO_CODE),
    Case("db-step", 1, "Debug Exception", NO_CODE, lines=(r"DR6 .*\[BS\]",)),
    Case("pf-write-readonly", 14, "Page Fault", "0x3: write to a protected page in ring 0 [P W]"),
    Case(
        "pf-user-supervisor", 14, "Page Fault", "0x5: read of a protected page in ring 3 [P U]", 3
    ),
    Case("gp-user-cli", 13, "General Protection Fault", "0x0: no selector is to blame", 3),
    Case(
        "df-stack-overflow",
        8,
        "Double Fault",
        "0x0: always 0",
        lines=(r"Cause +kernel stack overflow",),
    ),
]


@pytest.fixture(params=CASES, ids=str, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@dataclass
class Panic:
    """A report, the record of the trap behind it, and the machine, halted."""

    report: str
    record: Record
    machine: Qemu

    def value(self, name: str) -> int:
        """The number that the report gives for @name, as `NAME 0x...` or `NAME=...`."""
        match = re.search(rf"\b{name} *(?:=| 0x)([0-9a-f]+)", self.report)
        assert match, f"{name} is missing in\n{self.report}"
        return int(match[1], 16)


@pytest.fixture(scope="module")
def panic(case: Case, at_prompt):
    with at_prompt() as machine:
        machine.type(f"panic {case.entry}".strip())
        report = machine.wait_for(re.compile(r"KERNEL PANIC(?s:.*)\nSystem Halted\.\n")).group()
        delivered = [r for r in machine.interrupts() if r.delivered and not r.hardware]
        yield Panic(report, delivered[-1], machine)


def test_title_vector_and_code(panic: Panic, case: Case) -> None:
    assert panic.report.startswith(f"KERNEL PANIC: {case.title}\n")
    assert panic.record.vector == case.vector
    assert re.search(rf"^Vector +{case.vector} \(0x{case.vector:02x}\) #", panic.report, re.M)
    assert re.search(rf"^Error +{re.escape(case.code)}$", panic.report, re.M)
    for line in case.lines:
        assert re.search(line, panic.report), line


def test_the_cpus_frame(panic: Panic, case: Case) -> None:
    record = panic.record
    assert panic.value("RIP") == record.rip
    assert panic.value("CS") == record.cs
    assert panic.value("RSP") == record.rsp
    assert panic.value("SS") == record.ss
    saved, before = panic.value("RFLAGS"), record.registers["RFL"]
    assert not saved_rflags.differences(saved, before, case.vector, record.software)
    assert record.cpl == case.ring
    for name in ("CS", "SS"):
        assert re.search(rf"^{name} +0x\w+ .*ring {case.ring}", panic.report, re.M)


def test_flag_names(panic: Panic) -> None:
    names = re.search(r"^RFLAGS +0x\w+ \[(.*)\]$", panic.report, re.M)[1].split()
    flags = panic.record.registers["RFL"]
    set_ones = {name for name, bit in RFLAGS_BITS.items() if flags >> bit & 1}
    assert {name for name in names if name in RFLAGS_BITS} == set_ones


def test_general_registers(panic: Panic) -> None:
    told = {name: panic.value(name) for name in GENERAL_REGISTERS}
    assert told == {name: panic.record.registers[name] for name in GENERAL_REGISTERS}


def test_control_registers(panic: Panic, case: Case) -> None:
    for name in ("CR0", "CR3", "CR4"):
        assert panic.value(name) == panic.record.registers[name]
    if case.vector == 14:
        assert panic.value("CR2") == panic.record.cr2
    else:
        assert not re.search(r"\bCR2\b", panic.report)
    assert ("DR6" in panic.report) == (case.vector == 1)


def test_code_bytes(panic: Panic) -> None:
    line = re.search(r"^Code +(.*)$", panic.report, re.M)[1].split()
    memory = panic.machine.virtual(panic.record.rip - CODE_BEFORE, CODE_LENGTH)
    # What lies in front of the first page of code is not mapped and shown as ??.
    shown = [word.strip("<>") for word in line]
    pairs = zip(shown, memory, strict=True)
    assert all(int(byte, 16) == value for byte, value in pairs if byte != "??"), (line, memory)
    marked = [index for index, word in enumerate(line) if word.startswith("<")]
    assert marked == [CODE_BEFORE]


def test_backtrace(panic: Panic) -> None:
    trace = panic.report[panic.report.index("Backtrace") :]
    frames = re.findall(r"^ +#(\d+) +0x([0-9a-f]+) (\S+)", trace, re.M)
    assert [int(number) for number, _, _ in frames] == list(range(len(frames)))
    assert int(frames[0][1], 16) == panic.record.rip
    assert any(name.startswith("kmain+") for _, _, name in frames)
    assert "?" not in [name for _, _, name in frames], trace


def test_first_frame_is_the_entry(panic: Panic, case: Case) -> None:
    name = "fault_" + case.entry.replace("-", "_") if case.entry else "command_panic"
    assert re.search(rf"^RIP .* {name}\b", panic.report, re.M), panic.report


def test_it_fits_80_columns_of_ascii(panic: Panic) -> None:
    assert panic.report.isascii()
    assert max(map(len, panic.report.splitlines())) <= 80


def test_machine_check(machine: Qemu) -> None:
    """The hardware reports an error: an abort, on a stack of its own, and the banks tell what."""
    bank, mcg = (0xBD00000000000000, 0x12345000), 0x5
    machine.hmp(f"mce 0 1 {bank[0]:#x} {mcg:#x} {bank[1]:#x} 0x8c")
    report = machine.wait_for(re.compile(r"KERNEL PANIC(?s:.*)\nSystem Halted\.\n")).group()
    assert report.startswith("KERNEL PANIC: Machine Check\n")
    assert "\nError   none: the CPU pushed no code\n" in report
    assert f"\nMCG     {mcg:#018x} [RIPV MCIP]\n" in report
    assert f"\nBank 1  {bank[0]:#018x} [VAL UC EN MISCV ADDRV]\n" in report
    assert f"\n        of address {bank[1]:#018x}\n" in report
    assert report.count("\nBank ") == 1
    assert all(len(line) <= 80 for line in report.splitlines())
    (record,) = (record for record in machine.interrupts() if record.vector == MACHINE_CHECK)
    assert f"\nRIP     {record.rip:#018x} " in report
    assert f"\nRSP     {record.rsp:#018x} " in report
