"""The catalogue on the second CPU model: each entry in Bochs, held against the architecture's
expectation and against the log of Bochs's CPU; and Bochs as a person starts it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

import bochslog
from emulator import bochs as bochsrc
import deviations
import ktap
import trapline
import verdict
from bochs import Bochs
from catalogue import entries, is_fatal
from conftest import ROOT
from deviations import Deviation, Implementation
from machines import Machines
from person import script
from trapline import USER_CALL, Fields, Raised
from truth import Case, Truth

EMULATOR = "bochs"

RUN = [sys.executable, str(ROOT / "scripts" / "run"), "--emu", "bochs", "--display", "none"]

# Bochs logs an error code before it adds EXT, which these vectors do not have: SDM vol. 3, 6.13.
EXT = 1 << 0
WITHOUT_EXT = {8, 14, 17, 21}

PAGE_FAULT = 14

# The local APIC's spurious vector, and the 8259's: kernel/trap/vectors.def. Nothing is then in
# service, by which the kernel would know an interrupt.
SPURIOUS = {39, 47, 255}


@pytest.fixture(scope="module")  # no longer: an idle guest takes a CPU of the host
def machines(iso: str) -> Iterator[Machines]:
    """The machines of this process."""
    with Machines(lambda cpu: Bochs(iso, cpu)) as running:
        yield running


@pytest.fixture
def ending(machines: Machines) -> Iterator[Bochs]:
    """The machine of this process at the prompt, for a test that ends it."""
    yield machines.at_prompt(bochsrc.CPU)
    machines.discard(bochsrc.CPU)


@pytest.fixture(scope="session")
def version() -> str:
    """Bochs's version."""
    return bochsrc.version()


def witnessed(traps: list[Fields], records: list[bochslog.Record]) -> list[bochslog.Record]:
    """Leave out what is no part of an entry: devices, the end of ring 3, deliveries that faulted
    themselves, and the kernel's own reads of what is not there. An interrupt that the kernel
    reports as the next trap is part of it."""
    found: list[bochslog.Record] = []
    for record in records:
        next_trap = traps[len(found)] if len(found) < len(traps) else {"vector": None}
        is_reported = next_trap["vector"] == record.vector and is_told(next_trap, record)
        is_ours = record.origin == "irq" or (record.vector, record.origin) == (USER_CALL, "int")
        is_peek = is_kernels_read(record) and next_trap.get("error") != record.error
        if record.delivered and not is_peek and (is_reported or not is_ours):
            found.append(record)
    return found


def is_kernels_read(record: bochslog.Record) -> bool:
    """Whether it may be the fault of asm/peek.asm: it looks for an INT in front of RIP."""
    return (record.vector, record.error, record.from_ring_3) == (PAGE_FAULT, 0, False)


def is_told(trap: Fields, record: bochslog.Record) -> bool:
    """Whether the kernel has told the origin, as far as it and Bochs can."""
    if record.origin == "irq" and record.vector in SPURIOUS:
        return trap["origin"] in ("irq", "cpu")
    if trapline.is_injected(trap) and record.type == bochslog.SOFTWARE_EXCEPTION:
        return trap["origin"] == "cpu"
    return trap["origin"] == record.origin


def contradiction(trap: Fields, record: bochslog.Record) -> str | None:
    """Say where the kernel's report and the log of one trap differ."""
    compared = ~0 if trap["vector"] in WITHOUT_EXT else ~EXT
    code = trap["error"] if isinstance(trap["error"], int) else 0
    announced = code if record.is_injected else record.error or 0
    pairs = [
        ("vector", trap["vector"], record.vector),
        ("error", code & compared, announced & compared),
        ("origin", is_told(trap, record), True),
        ("ring", trap["cs"] & 3 == 3, record.from_ring_3),
    ]
    wrong = [name for name, told, right in pairs if told != right]
    return f"{', '.join(wrong)}: {trap} but Bochs logged {record}" if wrong else None


def raise_on(
    machines: Machines, cpu: str, name: str, word: str
) -> tuple[Raised, list[bochslog.Record]]:
    """Raise @name with the monitor's @word; return what the monitor says, and what the log has."""
    machine = machines.at_prompt(cpu)
    machine.deliveries()  # those of before
    try:
        answer = machine.ask(f"{word} {name}")
        assert not trapline.too_wide(answer)
        raised = trapline.parse(answer)
    except AssertionError:
        machines.discard(cpu)
        raise
    return raised, machine.deliveries()


@pytest.mark.parametrize("name", [name for name in entries() if not is_fatal(name)])
def test_fault(name: str, machines: Machines, version: str, truth: Truth) -> None:
    here = Implementation(EMULATOR, version)
    rows = deviations.find(deviations.load(), EMULATOR, name)
    word = deviations.how_to_raise(rows, here)
    with truth.case(EMULATOR, f"Bochs {version}", name) as case:
        for cpu, lacks in deviations.cpus(EMULATOR).items():
            raised, records = raise_on(machines, cpu, name, word)
            if not raised.missing_feature:
                break
            assert raised.missing_feature in lacks
        case.expected = raised.expected
        judge(name, raised, records, rows, here, case)


def judge(
    name: str,
    raised: Raised,
    records: list[bochslog.Record],
    rows: list[Deviation],
    here: Implementation,
    case: Case,
) -> None:
    if raised.missing_feature:
        pytest.skip(f"the CPU has no {raised.missing_feature}")
    if not verdict.is_run(name, raised, here, case):
        return

    verdict.hold(name, raised, raised.traps, rows, here, case)
    delivered = witnessed(raised.traps, records)
    logged = [record.vector for record in delivered]
    reported = [trap["vector"] for trap in raised.traps]
    assert logged == reported, "Bochs has logged other vectors than the kernel reports"
    wrong = list(filter(None, map(contradiction, raised.traps, delivered)))
    assert not wrong, "\n".join(wrong)

    if any("interrupted" in trap for trap in raised.expected):
        log = [(record.vector, record.origin == "irq") for record in records if record.delivered]
        assert trapline.came_in_order(raised.expected, log), log


@pytest.mark.parametrize("name", list(filter(is_fatal, entries())))
def test_fatal_fault(name: str, ending: Bochs, version: str, truth: Truth) -> None:
    with truth.case(EMULATOR, f"Bochs {version}", name) as case:
        before = len(ending.text)
        ending.deliveries()  # those of before
        ending.type(f"raise {name}")
        assert ending.wait_exit().endswith(bochsrc.TRIPLE_FAULT), ending.report()
        case.expected = trapline.parse(ending.text[before:]).expected
        due = [trap["vector"] for trap in case.expected if "undelivered" in trap]
        last = ending.deliveries()[-len(due) :]
        assert due and [record.vector for record in last] == due, last
        assert not any(record.delivered for record in last), last


def test_check_reports_every_entry(ending: Bochs) -> None:
    results = ktap.parse(ending.ask("check"))
    assert sorted(result.name for result in results) == sorted(entries())
    assert not [result for result in results if result.failed], ending.report()
    ending.type("poweroff")
    assert ending.wait_exit() == bochsrc.POWER_OFF


def test_run_boots_reboots_and_ends_with_a_reset_that_is_due(iso: str) -> None:
    done = script([*RUN, iso], "reboot\nraise ac-user\nraise triple-fault\n")
    assert done.stderr == "barestub: reset, as expected.\n"
    assert done.returncode == 0
    assert done.stdout.count("Rebooting.") == 1
    assert "result: name=ac-user pass" in done.stdout


def test_run_tells_a_failed_command(iso: str) -> None:
    done = script([*RUN, iso], "raise no-such-fault\n")
    assert done.returncode == 1
    assert "failed" in done.stderr


def test_run_tells_a_panic(iso: str) -> None:
    done = script([*RUN, iso], "panic\n")
    assert done.returncode == 1
    assert "KERNEL PANIC: Invalid Opcode" in done.stderr
