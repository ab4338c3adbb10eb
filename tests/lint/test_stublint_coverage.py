"""stublint says what it has not looked at, and calls nothing clean before it has."""

from __future__ import annotations

from pathlib import Path

import pytest

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from lint import cli  # noqa: E402
from linting import Report, Workbench  # noqa: E402


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def lint(bench: Workbench, bug: str, *options: object) -> Report:
    """Lint coverage.asm with @bug."""
    report = bench.lint(bench.assemble("coverage.asm", bug), *options)
    assert not report.rules()
    return report


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        ("UNLINTED", "NOT linted: sneaky, which also returns by IRETQ: --stub=77=sneaky"),
        ("CIRCLE", "NOT linted: first, which also returns by IRETQ: --stub=VECTOR=first"),
        ("GIVEN", "NOT linted: switch_to, which also returns by IRETQ from a stack that it is"),
        ("BEHIND_A_BRANCH", "NEVER ran: 2 instructions at entry+0x17; `je entry.usual`"),
        ("BEHIND_A_BRANCH", "was always taken after `cmp dword ptr [flag], 0`"),
        ("ONE_WAY", "was always taken after `cmp dword ptr [flag], 0`"),
    ],
)
def test_what_is_left_over_is_said(
    bug: str, words: str, bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bench.assemble("coverage.asm", bug)
    assert cli.main([str(path)]) == cli.PARTIAL
    output = capsys.readouterr().out
    assert words in " ".join(output.split())
    assert "clean" not in output and "no finding in " in output
    assert cli.main([str(path), "--partial-ok"]) == cli.CLEAN


@pytest.mark.parametrize("bug", ["NONE", "FALLS_IN", "OWN_FRAME"])
def test_nothing_is_left_over(bug: str, bench: Workbench) -> None:
    """A label inside of what was linted is no other function; and who pushes a frame for IRETQ
    does not return from an interrupt."""
    report = lint(bench, bug)
    assert report.status == cli.CLEAN
    assert report.coverage["own_frames"] == (["enter_ring3"] if bug == "OWN_FRAME" else [])


def test_the_flag_that_is_named_includes_it(bench: Workbench) -> None:
    """It adds to what was found, and does not replace it."""
    report = lint(bench, "UNLINTED", "--stub", "77=sneaky")
    assert report.status == cli.CLEAN
    assert report.vectors == [0, 1, 2, 77]


def test_functions_can_be_left_out_with_a_reason(bench: Workbench, tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text("unlinted:snea*  the self-test's\n")
    report = lint(bench, "UNLINTED", "--allow", allow)
    assert report.status == cli.CLEAN
    assert report.coverage["unlinted"][0]["reason"] == "the self-test's"
    allow.write_text("unlinted:other  not there\n")
    assert lint(bench, "UNLINTED", "--allow", allow).status == cli.PARTIAL


def test_a_table_that_is_too_short(bench: Workbench) -> None:
    table = bench.compile("gas.S"), "--table", "trap_table", "--count"
    assert "table-short" not in bench.lint(*table, 2).rules()
    short = {finding["seen"]: finding["vectors"] for finding in bench.lint(*table, 17).findings
             if finding["rule"] == "table-short"}  # fmt: skip
    assert short == {
        "its entry in the table is 0": [*range(2, 10), *range(11, 14)],
        "the table ends before it": [15, 16],
    }
    strided = bench.lint(bench.assemble("coverage.asm"), "--table", "isr0", "--stride", "9",
                         "--count", "300")  # fmt: skip
    assert strided.finding("table-short")["seen"] == "no code is at its place in the table"


def test_a_table_of_255(bench: Workbench) -> None:
    """One less than there are vectors is a mistake without a --count too."""
    assert bench.lint(bench.compile("gas.S", "-DTABLE_OF=255"), "--table", "many").finding(
        "table-short"
    )["vectors"] == [255]
    assert "table-short" not in bench.lint(
        bench.compile("gas.S", "-DTABLE_OF=256"), "--table", "many"
    ).rules()
