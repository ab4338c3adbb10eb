"""Storms: traps from everywhere at once, nested as deep as the stack allows, on both emulators; and
that a storm names what is wrong with a kernel, for each kind of thing that it looks for."""

from __future__ import annotations

import re
from pathlib import Path

import ktap
import pytest

from bochs import Bochs
from conftest import BUILD
from elf.symbols import Symbol
from gdbstub import GdbStub
from guest import ANSWER, PROMPT
from qemu import Qemu

COLUMNS = 80

# Rows of the report: what was raised, merged and came; what a stack has, and what was used of it.
ROW = re.compile(r"^# (.{15}) +(\d+) +(\d+) +(\d+)", re.MULTILINE)

REPEATABLE = ("-icount", "shift=3,sleep=off", "-vga", "none")


def rows(report: str) -> dict[str, tuple[int, int, int]]:
    """The numbers of the table by the names of their rows."""
    return {name.strip(): tuple(map(int, numbers)) for name, *numbers in ROW.findall(report)}


def hold(report: str, traps: int) -> None:
    """@report is of a storm of @traps in which all was right, and which deserves the name."""
    assert [(r.name, r.passed) for r in ktap.parse(report)] == [
        (name, True) for name in ("registers", "counts", "in-service", "stacks")
    ], report
    assert max(map(len, report.splitlines())) <= COLUMNS
    table = rows(report)
    for source, share in {
        "#BP breakpoint": 30,
        "#DB single step": 4,
        "#PF page mapped": 60,
        "INT of ring 3": 60,
        "LAPIC timer": 300,
        "NMI": 30,
        "self-IPI": 20,
    }.items():
        raised, merged, came = table[source]
        assert came == raised - merged > traps // share, (source, report)
    assert table["self-IPI"][1] > 0
    size, used, budget = table["kernel stack"]
    assert size / 2 < used <= budget, "it has not nested as deep as it could"
    nested, witnesses = map(int, re.search(r"(\d+) nested, (\d+) witnesses", report).groups())
    assert nested > 20 and witnesses == table["#BP breakpoint"][2]


def test_a_storm(machine: Qemu) -> None:
    before = ktap.parse(machine.ask("check"))
    hold(machine.ask("storm 200000 traps"), 200000)
    assert ktap.parse(machine.ask("check")) == before
