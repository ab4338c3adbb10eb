"""The catalogue: each entry held against the architecture's expectation and against QEMU's own
record of what it delivered. They run one after the other on one machine, as `check` has them; a
machine on which a test has failed is not used again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

import deviations
import ktap
import trapline
import verdict
from catalogue import entries, is_fatal
from conftest import NO_SCREEN
from elf.symbols import Symbol
from emulator import qemu
from emulator.qemu import CPU, POWER_OFF, POWER_OFF_AFTER_FAILURE
from intlog import Record
from machines import Machines
from qemu import Qemu
from trapline import Fields
from truth import Case, Truth
from witness import contradiction, in_order_of_handling, witnessed

DOUBLE_FAULT = 8

STUB_SIZE = 16

EMULATOR = "qemu-tcg"


def with_lost_page_faults(traps: list[Fields], records: list[Record]) -> list[Fields]:
    """A page fault whose delivery failed leaves its CR2 to the double fault that follows."""
    lost = [record.cr2 for record in records if not record.delivered and record.cr2]
    cr2 = lost[-1] if lost else "none"
    return [{"cr2": cr2, **trap} if trap["vector"] == DOUBLE_FAULT else trap for trap in traps]


def test_catalogue_is_found() -> None:
    names = entries()
    assert names and len(names) == len(set(names))


@pytest.mark.parametrize("name", list(filter(is_fatal, entries())))
def test_fatal_fault(name: str, machine: Qemu, truth: Truth) -> None:
    with truth.case("qemu", f"QEMU {qemu.version()}", name) as case:
        machine.type(f"raise {name}")
        machine.wait_exit()
        case.expected = trapline.parse(machine.text).expected
        due = [trap["vector"] for trap in case.expected if "undelivered" in trap]
        assert "undelivered=1\n " not in machine.text, "nothing else is due of such a trap"
        assert machine.triple_faulted(), machine.report()
        last = machine.interrupts()[-len(due) :]
        assert due and [record.vector for record in last] == due, machine.report()
        assert not any(record.delivered for record in last[:-1]), last


@pytest.fixture(scope="module")
def machines(iso: str, state: Callable[[str], str]) -> Iterator[Machines]:
    """The machine of this process."""

    def start(_cpu: str) -> Qemu:
        machine = Qemu(iso, state=state("no screen"), options=NO_SCREEN)
        machine.type("")  # it was saved at a prompt that it has said before
        return machine

    with Machines(start) as running:
        yield running


@pytest.mark.parametrize("name", [name for name in entries() if not is_fatal(name)])
def test_fault(name: str, machines: Machines, truth: Truth, symbols: dict[str, Symbol]) -> None:
    first = symbols["isr_0_DE"].address
    machine = machines.at_prompt(CPU)
    machine.forget()
    with truth.case("qemu", f"QEMU {qemu.version()}", name) as case:
        stubs = range(first, first + 256 * STUB_SIZE)
        try:
            judge(name, machine, case, stubs, symbols["peek.read"].address)
        except AssertionError:
            machines.discard(CPU)
            raise


def judge(name: str, machine: Qemu, case: Case, stubs: range, peek: int) -> None:
    here = deviations.Implementation(EMULATOR, qemu.version())
    rows = deviations.find(deviations.load(), EMULATOR, name)
    answer = machine.ask(f"{deviations.how_to_raise(rows, here)} {name}")
    raised = trapline.parse(answer)
    case.expected = raised.expected
    assert not trapline.too_wide(answer)
    if feature := raised.missing_feature:
        assert feature in deviations.cpus(EMULATOR)[CPU]
        pytest.skip(f"the CPU has no {feature}")

    if not verdict.is_run(name, raised, here, case):
        return

    records = machine.interrupts()
    seen = with_lost_page_faults(raised.traps, records)
    try:
        verdict.hold(name, raised, seen, rows, here, case)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{machine.report()}") from None

    delivered = witnessed(records, raised.traps, peek)
    assert len(delivered) == len(raised.traps), f"{delivered}\n{machine.report()}"
    handled = in_order_of_handling(delivered, stubs)
    told = list(filter(None, map(contradiction, raised.traps, handled)))
    assert not told, "\n".join(told + [machine.report()])

    if any("interrupted" in trap for trap in raised.expected):
        log = [(record.vector, record.hardware) for record in records if record.delivered]
        assert trapline.came_in_order(raised.expected, log), log


def test_check_reports_every_entry(machine: Qemu) -> None:
    results = ktap.parse(machine.ask("check"))
    assert sorted(result.name for result in results) == sorted(entries())
    failed = any(result.failed for result in results)
    assert machine.poweroff() == (POWER_OFF_AFTER_FAILURE if failed else POWER_OFF)
    assert not failed, machine.report()


def test_check_names_an_entry_before_it_runs(machine: Qemu) -> None:
    pair = re.compile(r"^# ([a-z0-9-]+)\n(?:not )?ok \d+ (\S+)", re.MULTILINE)
    named = pair.findall(machine.ask("check"))
    assert all(before == after for before, after in named)
    assert {name for name, _ in named} == {name for name in entries() if not is_fatal(name)}


def test_entries_leave_no_trace(machine: Qemu) -> None:
    """All of them one after another, twice: the second time must tell the same."""
    pattern = re.compile(r"^(?:not )?ok .*$", re.MULTILINE)
    first, second = (pattern.findall(machine.ask("check")) for _ in range(2))
    assert first == second
