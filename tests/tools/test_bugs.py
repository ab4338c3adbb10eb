"""The museum: each classic mistake of tests/bugs/ is found, by the check and with the symptom that
its patch names. A check that is content with one is worth nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import checks
from museum import bugs as museum
from conftest import ROOT
from emulator.playback import play
from museum.bugs import Bug, Tree

MUSEUM = museum.bugs()
COLUMNS = 80  # of `make bugs`
HEADER_COLUMNS = 100


@pytest.mark.parametrize("bug", MUSEUM, ids=lambda bug: bug.name)
def test_it_is_caught(bug: Bug) -> None:
    catches = [catch for catch in bug.catches if catch.check != "fuzz" or checks.HAS_SILICON]
    if not catches:
        pytest.skip("only the fuzzer finds it, and the stubs run on x86-64 alone")
    tree = Tree(f"museum/{bug.name}")
    tree.apply(bug)
    for catch in catches:
        found = checks.CHECKS[catch.check](tree, catch)
        assert checks.is_named(catch, found), f"{catch}: {catch.symptom!r} is not in {found!r}"
    tree.remove()


def test_the_same_checks_are_content_with_the_kernel_as_it_is() -> None:
    tree = Tree("museum/intact")
    assert checks.static(tree) == ""
    subjects = sorted({c.subject for bug in MUSEUM for c in bug.catches if c.check == "check"})
    words = [*(f"raise {subject}" for subject in subjects), "poweroff"]
    said = play(tree.make("run.iso", run="; ".join(words)), checks.TIMEOUT).text
    assert [name for name in subjects if f"result: name={name} pass" not in said] == []
    if checks.HAS_SILICON:
        assert checks.fuzz(tree) == ""


@pytest.mark.parametrize("bug", MUSEUM, ids=lambda bug: bug.name)
def test_its_header_is_whole(bug: Bug) -> None:
    assert bug.group in museum.GROUPS
    assert bug.catches and bug.machine and bug.duty
    assert len(museum.line(bug)) <= COLUMNS
    header = bug.path.read_text().partition("\n--- ")[0]
    assert max(map(len, header.splitlines())) <= HEADER_COLUMNS


def test_each_hidden_duty_has_its_bugs() -> None:
    assert {bug.group for bug in MUSEUM} == set(museum.GROUPS)
    assert sorted(path.suffix for path in (ROOT / "tests" / "bugs").iterdir()) == [".patch"] * len(
        MUSEUM
    )


def test_break_shows_what_one_sees_next_to_what_one_should_see() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "break"), "no-dummy"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "What you should see: `raise ud-ud2`" in told
    assert "WRONG: the dummy code is 0x" in told
    assert "| rip  <--" in told
    assert max(map(len, told.splitlines())) <= COLUMNS
