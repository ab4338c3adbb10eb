"""make truth: what it prints, its reports, and whether tests/TRUTH.md is up to date."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import catalogue
import deviations
import measure
import recorded
import truth_page
from conftest import ROOT
from deviations import Implementation
from guest import TIMEOUT
from measure import RIGHT, UNSAFE, WRONG
from recorded import Column

TRUTH = [sys.executable, str(ROOT / "scripts" / "truth")]
SAFE = "np-gate-exception"

# No case of a person's own belongs on the page.
pytestmark = pytest.mark.skipif("FAULTS" in os.environ, reason="the catalogue is not ours alone")

COLUMNS = recorded.columns()


def emulator_of(column: Column) -> str:
    """Return the ID of @column's machine in the table of deviations."""
    return column.family if column.family in ("qemu-tcg", "bochs") else deviations.SILICON


def test_the_page_is_what_was_measured() -> None:
    assert truth_page.PAGE.read_text() == truth_page.page(), (
        "tests/TRUTH.md is stale: `make truth RECORD=1` measures anew what is at hand, "
        "`make truth-page` only writes the page; what is not measured then says so"
    )


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.file.stem)
def test_no_column_knows_a_case_that_is_gone(column: Column) -> None:
    gone = column.results.keys() - catalogue.entries()
    assert not gone, f"{column.file.name} is stale: measure that machine anew, or delete the lines"


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.file.stem)
def test_columns_and_table_agree(column: Column) -> None:
    """What was measured differs where tests/emulators.toml says so, and nowhere else."""
    machine = Implementation(emulator_of(column), column.version)
    if not machine.is_measured:
        pytest.skip(f"the table was not made on {column.name}")
    rows = [row for row in deviations.load() if row.emulator == machine.emulator]
    listed = {row.case for row in rows if machine.is_one_of(row.versions)}
    differs = {case for case, (v, _) in column.results.items() if v in (WRONG, UNSAFE)}
    right = {case for case, (verdict, _) in column.results.items() if verdict == RIGHT}
    assert sorted(differs - listed) == [], f"{column.file.name} has what the table has not"
    assert sorted(right & listed) == [], f"the table has what {column.file.name} has not"


def test_a_new_case_is_not_measured_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    new = catalogue.Entry("zz-new", 0, "a new one", "", Path("zz.asm"), "")
    monkeypatch.setattr(truth_page, "found", lambda: [*catalogue.found(), new])
    row = next(line for line in truth_page.page().splitlines() if "zz-new" in line)
    assert row.count("| ? ") == len(COLUMNS) + 1


RIGHT_TRAP = {"vector": 13, "error": 0x6A}
OTHER_TRAP = {"vector": 13, "error": 0xD2}


@pytest.mark.parametrize(
    "seen, said",
    [
        ([RIGHT_TRAP], ""),
        ([OTHER_TRAP], "code 0xd2"),
        ([], "no trap"),
        ([{"vector": 13, "error": "none"}], "no code"),
        ([{"vector": 14, "error": 2}], "#PF(0x2)"),
        ([RIGHT_TRAP, {"vector": 1, "error": "none"}], "#GP(0x6a); then #DB"),
    ],
)
def test_what_came_in_few_words(seen: list, said: str) -> None:
    assert measure.what_came([RIGHT_TRAP], seen) == said


TABLE = """
[[deviation]]
emulator = "qemu-tcg"
reason = "it never comes"
instead.ac-user = []
"""


@pytest.mark.parametrize(
    "seen, verdict, status, said",
    [
        ({"ac-user": []}, WRONG, 0, "1 cases, 0 of them other"),
        ({"ac-user": [RIGHT_TRAP]}, RIGHT, 0, "now right             ac-user; the table: it never"),
        ({"ac-user": [OTHER_TRAP]}, WRONG, 0, "wrong in another way  ac-user: code 0xd2 (due: "),
        ({"de": [OTHER_TRAP]}, WRONG, 1, "newly wrong           de: code 0xd2 (due: #GP(0x6a))"),
        ({"de": [RIGHT_TRAP]}, RIGHT, 0, "1 cases, 0 of them other"),
    ],
)
def test_what_is_new(
    seen: dict,
    verdict: str,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = deviations.load(TABLE)
    monkeypatch.setattr(deviations, "load", lambda: rows)
    ((case, traps),) = seen.items()
    text = measure.what_came([RIGHT_TRAP], traps)
    result = measure.Result(case, verdict, text, [RIGHT_TRAP], traps)
    compare = runpy.run_path(TRUTH[1])["compare"]
    assert compare([result], Implementation("qemu-tcg", "7.2.22")) == status
    assert said in capsys.readouterr().out


def truth(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TRUTH, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
    )


def test_an_unknown_case_is_told(iso: str) -> None:
    done = truth("--case", "np-gate-excption", iso)
    assert done.returncode == 1
    assert "np-gate-exception" in done.stderr and "Traceback" not in done.stderr


def test_the_report_on_a_case(iso: str) -> None:
    done = truth("--case", SAFE, "--case-iso", f"case-{SAFE}.iso", iso)
    assert done.returncode == 0, done.stderr
    assert 'SDM vol. 3, 6.15, "Interrupt 11"' in done.stdout
    assert "\n- SDM vol. 3, 6.13\n" in done.stdout
    assert f'fault   0, "{SAFE}"' in done.stdout and "%macro by_ud2 2" in done.stdout
    assert f"-cdrom case-{SAFE}.iso" in done.stdout and f"result: name={SAFE}" in done.stdout
    assert measure.qemu_target(iso).name in done.stdout


def test_every_case_has_a_manual_s_section() -> None:
    """Where no vector names the section, the file's comments say something."""
    import truth_report

    silent = [e.name for e in catalogue.found() if not truth_report.remarks(e)]
    due = recorded.expectations()
    assert not [name for name in silent if not due.get(name, "").startswith(("#", "vector"))]
