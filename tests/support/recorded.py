"""What was measured: tests/truth/, one text file for each machine and one for the architecture.

A machine's file begins with what it is and when it was measured; then one line for each case says
what came of it. It is never edited, but written by `make truth RECORD=1`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import words
from catalogue import is_fatal
from measure import Result

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "tests" / "truth"
ARCHITECTURE = "architecture"

# In the order of the page's columns.
FAMILIES = {"qemu-tcg": "QEMU", "bochs": "Bochs", "kvm": "KVM", "process": "process"}


@dataclass
class Column:
    """One machine."""

    family: str  # a key of FAMILIES
    version: str  # short, as its column and its file are called
    name: str  # in full
    date: str
    results: dict[str, tuple[str, str]]  # by case: the verdict, and what came or why it was not run

    @property
    def file(self) -> Path:
        title = f"{FAMILIES[self.family]} {self.version}".lower()
        return DIRECTORY / (re.sub(r"[^a-z0-9.]+", "-", title) + ".txt")


def save(column: Column) -> None:
    """Write the file of @column."""
    head = [f"{name}: {getattr(column, name)}" for name in ("family", "version", "name", "date")]
    lines = [": ".join(filter(None, (case, *said))) for case, said in column.results.items()]
    DIRECTORY.mkdir(exist_ok=True)
    column.file.write_text("\n".join([*head, "", *lines]) + "\n")


def columns() -> list[Column]:
    """Return all that was measured, in the order of the page."""
    files = [file for file in DIRECTORY.glob("*.txt") if file.stem != ARCHITECTURE]
    found = [_load(file) for file in files]
    order = list(FAMILIES)
    return sorted(found, key=lambda c: (order.index(c.family), _numbers(c.version), c.version))


def _load(file: Path) -> Column:
    head, _, body = file.read_text().partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    results = {}
    for line in body.splitlines():
        case, verdict, *text = line.split(": ", 2)
        results[case] = (verdict, *text) if text else (verdict, "")
    return Column(**fields, results=results)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def save_expectations(due: dict[str, str]) -> None:
    """Write down what the architecture wants of each case, in words."""
    DIRECTORY.mkdir(exist_ok=True)
    lines = [f"{case}: {due[case]}\n" for case in sorted(due)]
    (DIRECTORY / f"{ARCHITECTURE}.txt").write_text("".join(lines))


def expectations() -> dict[str, str]:
    """Return what the architecture wants of each case, in words."""
    file = DIRECTORY / f"{ARCHITECTURE}.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split(": ", 1) for line in lines)


def expectations_of(results: list[Result]) -> dict[str, str]:
    """Return what the architecture wants of the cases of @results, as the kernel tells it."""
    return {
        r.case: "reset" if is_fatal(r.case) else words.sequence(list(map(words.trap, r.expected)))
        for r in sorted(results, key=lambda r: r.case)
    }


def results_of(results: list[Result]) -> dict[str, tuple[str, str]]:
    """Return the lines of a file for @results."""
    return {r.case: (r.verdict, r.text) for r in sorted(results, key=lambda r: r.case)}
