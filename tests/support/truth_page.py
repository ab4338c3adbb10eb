"""tests/TRUTH.md: who does what the architecture says, from the files of tests/truth/."""

from __future__ import annotations

from collections import Counter

import deviations
import native
import recorded
from catalogue import Entry, found
from deviations import Deviation, Implementation
from lists import TITLES
from measure import NOT_RUN, RIGHT, UNSAFE, WRONG
from recorded import FAMILIES, Column

PAGE = recorded.ROOT / "tests" / "TRUTH.md"

RIGHT_MARK, NOT_RUN_MARK, NOT_MEASURED_MARK = "\N{CHECK MARK}", "\N{EN DASH}", "?"

HEADING = f"""\
# The table of truth

Which machine does what the Intel SDM and the AMD APM say? Each row is a case of the catalogue,
[tests/faults/](faults/), each column a machine on which it was raised; what came is measured.

| In a cell | it means |
|---|---|
| {RIGHT_MARK} | as the manuals say |
| **#GP(0x0)** | this came in its place, here #GP with error code 0 |
| **unsafe** | it hangs or ends the emulator, and so is not run there |
| {NOT_RUN_MARK} | cannot be had there: the CPU lacks a feature, a process has no ring 0 |
| {NOT_MEASURED_MARK} | not measured there yet |

`make truth RECORD=1` measures the machine at hand and writes this page: do not edit it.
"""

REASONS = """\
## Why they differ

The reasons are those of [emulators.toml](emulators.toml): on the columns' machines they are measured,
of the versions between the table says what was read in the emulator's sources.

"""


def page() -> str:
    """Return the page as it must be now."""
    columns = recorded.columns()
    due = recorded.expectations()
    parts = [HEADING, _machines(columns), _reasons(columns), "## Case by case\n"]
    for title, entries in _sections(due).items():
        parts.append(f"### {title}\n\n" + _table(entries, due, columns))
    return "\n".join(parts)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _head(cells: list[str]) -> str:
    return _row(cells) + "|---" * len(cells) + "|\n"


def title(column: Column) -> str:
    """Return the head of @column, as narrow as can be."""
    if column.family in ("qemu-tcg", "bochs"):
        return f"{FAMILIES[column.family]} {column.version}"
    vendor, _, model = native.without_place(column.version).partition(" family ")
    vendor = vendor.removeprefix("Authentic").removeprefix("Genuine")
    where = "ring 3" if column.family == "process" else "KVM"
    return f"{vendor} {model.replace(' model ', '/')} {where}"


def _machines(columns: list[Column]) -> str:
    names = {entry.name for entry in found()}
    marks = [RIGHT_MARK, "differs", NOT_RUN_MARK, NOT_MEASURED_MARK]
    lines = _head(["Column", "Machine", *marks, "measured on"])
    for column in columns:
        counts = Counter(v for case, (v, _) in column.results.items() if case in names)
        missing = len(names - column.results.keys())
        differs = counts[WRONG] + counts[UNSAFE]
        numbers = map(str, (counts[RIGHT], differs, counts[NOT_RUN], missing))
        lines += _row([title(column), column.name, *numbers, column.date])
    return "## The machines\n\n" + lines


def _reasons(columns: list[Column]) -> str:
    """The table of deviations, as far as it is about the columns' machines."""
    text = REASONS
    for family in dict.fromkeys(column.family for column in columns):
        members = [column for column in columns if column.family == family]
        emulator = family if family in ("qemu-tcg", "bochs") else deviations.SILICON
        rows = [row for row in deviations.load() if row.emulator == emulator]
        lines = "".join(_reason_rows(rows, emulator, members))
        if lines:
            heads = [FAMILIES[family], "why", "the manuals decide in", "read", "cases"]
            text += _head(heads) + lines + "\n"
    return text


def _reason_rows(rows: list[Deviation], emulator: str, columns: list[Column]) -> list[str]:
    grouped: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        machines = [Implementation(emulator, column.version) for column in columns]
        versions = [m.version for m in machines if m.is_one_of(row.versions)]
        cells = (", ".join(versions), row.reason, row.manual, row.read)
        cases = grouped.setdefault(cells, [])
        cases += [f"`{row.case}`"] if any(_differs(c, row.case) for c in columns) else []
    return [
        _row([*cells, " ".join(sorted(set(cases)))])
        for cells, cases in grouped.items()
        if cells[0] and cases
    ]


def _differs(column: Column, case: str) -> bool:
    return column.results.get(case, ("",))[0] in (WRONG, UNSAFE)


def _sections(due: dict[str, str]) -> dict[str, list[Entry]]:
    """Sort the entries by the first trap that must come."""
    groups: dict[str, list[Entry]] = {}
    for entry in sorted(found(), key=lambda entry: entry.name):
        groups.setdefault(_section(due.get(entry.name, "")), []).append(entry)
    order = [*TITLES.values(), "No trap", "Interrupts", "A reset", "Not measured yet"]
    return {title: groups[title] for title in order if title in groups}


def _section(due: str) -> str:
    if not due:
        return "Not measured yet"
    if due == "no trap":
        return "No trap"
    if due == "reset":
        return "A reset"
    first = due.split("times ")[-1].split(";")[0].split("(")[0].split(",")[0]
    return TITLES.get(first, "Interrupts")


def _table(entries: list[Entry], due: dict[str, str], columns: list[Column]) -> str:
    lines = _head(["Case", "What it is", "Due", *map(title, columns)])
    for entry in entries:
        case = f"[`{entry.name}`](faults/{entry.file.name})"
        cells = [_cell(column, entry.name) for column in columns]
        lines += _row([case, entry.summary, due.get(entry.name, NOT_MEASURED_MARK), *cells])
    return lines


def _cell(column: Column, case: str) -> str:
    verdict, text = column.results.get(case, ("", ""))
    marks = {"": NOT_MEASURED_MARK, RIGHT: RIGHT_MARK, NOT_RUN: NOT_RUN_MARK, UNSAFE: "**unsafe**"}
    return marks.get(verdict, f"**{text}**")
