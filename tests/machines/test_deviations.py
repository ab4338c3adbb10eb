"""The table of deviations: which rows hold on which machine, and what may then be seen."""

from __future__ import annotations

import re

import pytest

import deviations
import trapline
from catalogue import entries
from conftest import NO_SCREEN
from deviations import Deviation, Implementation
from emulator.qemu import CPU, POWER_OFF
from guest import PROMPT
from qemu import Qemu

# As if a case had been wrong in 7.2, right afterwards, and wrong again in another way from 10.0 on.
TABLE = """
[[deviation]]
emulator = "qemu-tcg"
versions = "-7.2"
reason = "n*16+2"
instead.gp-user-int13 = [{ error = 0xd2 }]

[[deviation]]
emulator = "qemu-tcg"
versions = "11.1-"
reason = "one byte too far"
instead.gp-user-int13 = [{ rip = "+1" }, { vector = 3, rip = "-2" }]

[[deviation]]
emulator = "qemu-tcg"
versions = "-7.2"
reason = "QEMU aborts"
instead.irq-x87 = "unsafe"
"""
RIGHT = [{"name": "gp-user-int13", "vector": 13, "error": 0x6A, "rip": 0x400000}]
OLD = [{**RIGHT[0], "error": 0xD2}]
NEW = [{**RIGHT[0], "rip": 0x400001}, {"vector": 3, "rip": 0x3FFFFE}]
OTHER = [{**RIGHT[0], "error": 0}]
HALF = NEW[:1]


def rows(case: str = "gp-user-int13") -> list[Deviation]:
    return deviations.find(deviations.load(TABLE), "qemu-tcg", case)


@pytest.mark.parametrize("version", ["7.2.22", "10.0.13", "11.1.3"])
@pytest.mark.parametrize("seen", [RIGHT, OLD, NEW, OTHER, HALF, []])
def test_a_measured_version_has_one_answer(seen: list, version: str) -> None:
    due = {"7.2.22": OLD, "10.0.13": RIGHT, "11.1.3": NEW}[version]
    judgement = deviations.judge(RIGHT, seen, rows(), Implementation("qemu-tcg", version))
    assert bool(judgement.wrong) == (seen != due)
    assert not judgement.remark
    if seen == due:
        assert bool(judgement.deviation) == (due != RIGHT)


@pytest.mark.parametrize("version", ["6.2", "8.2.1", "10.1", "12.0"])
@pytest.mark.parametrize("seen", [RIGHT, OLD, NEW, OTHER, HALF, []])
def test_another_version_may_do_what_any_does(seen: list, version: str) -> None:
    judgement = deviations.judge(RIGHT, seen, rows(), Implementation("qemu-tcg", version))
    is_known = seen in (RIGHT, OLD, NEW)
    assert (bool(judgement.wrong), bool(judgement.remark)) == (not is_known, is_known)


@pytest.mark.parametrize("code, is_right", [(2, True), (0, True), (4, False), ("none", False)])
def test_either_code_is_right_where_the_manuals_leave_it_open(code: object, is_right: bool) -> None:
    expected = [{"name": "x", "vector": 14, "error": 2, "or_error": 0}]
    seen = [{"name": "x", "vector": 14, "error": code}]
    machine = Implementation("qemu-tcg", "7.2.22")
    assert bool(deviations.judge(expected, seen, [], machine).wrong) != is_right
    row = Deviation("qemu-tcg", "x", "-", "a reason", ({"error": 4},))
    assert bool(deviations.judge(expected, seen, [row], machine).wrong) == (code != 4)


@pytest.mark.parametrize("version", ["7.2.22", "8.2.1"])
def test_without_a_row_only_the_architecture_counts(version: str) -> None:
    machine = Implementation("qemu-tcg", version)
    assert deviations.judge(RIGHT, RIGHT, [], machine) == deviations.Judgement([])
    assert deviations.judge(RIGHT, OLD, [], machine).wrong


@pytest.mark.parametrize(
    "version, word", [("7.2.22", "raise"), ("8.2.1", "raise"), ("10.0.13", "force")]
)
def test_what_is_safe_here_is_raised_here(version: str, word: str) -> None:
    assert deviations.how_to_raise(rows("irq-x87"), Implementation("qemu-tcg", version)) == word
    assert deviations.how_to_raise(rows(), Implementation("qemu-tcg", version)) == "raise"


@pytest.mark.parametrize(
    "versions, inside, outside",
    [
        ("7.2", "7.2.0 7.2.22", "7.1.9 7.3 8.0 10.0"),
        ("-7.2", "6.0 7.2.22", "7.3 10.0"),
        ("10.0-", "10.0 10.0.3 11.1", "9.2.4 7.2"),
        ("8.0-9.0", "8.0 8.2.1 9.0.4", "7.2.22 9.1 10.0"),
        ("-", "0.1 7.2 20.0", ""),
    ],
)
def test_ranges_of_versions(versions: str, inside: str, outside: str) -> None:
    for version in inside.split():
        assert Implementation("qemu-tcg", version).is_one_of(versions), version
    for version in outside.split():
        assert not Implementation("qemu-tcg", version).is_one_of(versions), version


def test_a_cpu_is_told_by_how_its_name_begins() -> None:
    cpu = "AuthenticAMD family 25 model 17 under a hypervisor"
    for versions in ("-", "AuthenticAMD", "AuthenticAMD family 25", cpu):
        assert Implementation("silicon", cpu).is_one_of(versions), versions
    assert not Implementation("silicon", cpu).is_one_of("AuthenticAMD family 25 model 1")
    assert not Implementation("silicon", cpu).is_one_of("GenuineIntel")


def test_two_rows_for_one_measured_version_are_refused() -> None:
    with pytest.raises(AssertionError, match="more than one row"):
        deviations.load(TABLE.replace('"11.1-"', '"-"'))


def test_a_row_that_nobody_measured_says_where_it_was_read() -> None:
    unfounded = TABLE.replace('"11.1-"', '"8.0-8.2"')
    with pytest.raises(AssertionError, match="neither measured nor read"):
        deviations.load(unfounded)
    read = 'versions = "8.0-8.2"\nread = "the release notes"'
    deviations.load(unfounded.replace('versions = "8.0-8.2"', read))


@pytest.mark.parametrize("versions", ["-7.1", "-9.0", "10.1-", "8.2-10.0"])
def test_a_bound_that_nobody_measured_says_where_it_was_read(versions: str) -> None:
    unfounded = TABLE.replace('"-7.2"', f'"{versions}"', 1).replace('"11.1-"', '"11.1"')
    with pytest.raises(AssertionError, match="neither measured nor read"):
        deviations.load(unfounded)


def test_every_row_names_a_case_and_the_section_that_decides_it() -> None:
    rows = deviations.load()
    assert {row.case for row in rows} <= set(entries())
    assert all(re.match("(SDM|APM) vol. [123], |Intel 8259A data sheet", row.manual) for row in rows)


def test_without_a_reserved_bit_nothing_can_be_known_to_differ(iso: str, grub: str) -> None:
    """TCG takes bit 51 for an address where there are 52 bits of them."""
    options = (*NO_SCREEN, "-cpu", f"{CPU},phys-bits=52")
    with Qemu(iso, state=grub, options=options) as machine:
        machine.wait_for(PROMPT)
        for name in ("pf-read-reserved", "pf-user-write-reserved"):
            raised = trapline.parse(machine.ask(f"raise {name}"))
            assert raised.missing_feature == "reserved bit in a page-table entry"
            assert not raised.traps
        assert machine.poweroff() == POWER_OFF
