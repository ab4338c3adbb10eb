"""The museum: each classic mistake of tests/bugs/ is found, by the check and with the symptom that
its patch names, and by stublint under its rule if it breaks the contract. A check that is content
with one is worth nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import checks
from museum import bugs as museum
from conftest import ROOT
from emulator.playback import play
from museum.bugs import Bug, Tree

MUSEUM = museum.bugs()
COLUMNS = 80  # of `make bugs`
HEADER_COLUMNS = 100

# Stublint's rules, by what stublint must see: two objects, the linked kernel with its C, or a machine
# with its tables.
IN_OBJECTS = {
    "code-dropped-twice": "code-dropped-twice",
    "code-kept": "code-not-dropped",
    "dummy-on-code": "dummy-code-extra",
    "int13": "no-code-frame",
    "iretd": "return-by-iret",
    "no-cld": "df-set",
    "no-code-21": "dummy-code-extra",
    "no-code-29": "dummy-code-extra",
    "no-code-30": "dummy-code-extra",
    "no-dummy": "dummy-code-missing",
    "no-realign": "stack-misaligned",
    "pops-in-push-order": "registers-swapped",
    "pops-swapped": "registers-swapped",
    "r8-r11-not-saved": "register-lost",
    "rbp-clobbered": "register-lost",
    "realign-kept": "return-off-frame",
    "register-not-saved": "register-lost",
    "ret": "return-by-ret",
    "rflags-changed": "frame-rewritten",
    "sti-too-early": "early-sti",
    "vector-imm8": "vector-sign-extended",
}
IN_THE_KERNEL = {
    "red-zone": "red-zone",
    "sse-not-saved": "sse-unsaved",
    "stack-argument": "struct-by-value",
}
IN_THE_MACHINE = {
    "df-without-ist": "double-fault-stack",
    "nmi-shared-ist": "ist-shared",
    "no-clac": "ac-set",
    "stride": "stub-outgrown",
}
BEYOND = {
    "argument-after-realign": "the frame is aligned, so RSP is the same before and after",
    "code-9": "the entry opens the slot that is missing",
    "eoi-for-spurious": "an interrupt controller's matter",
    "no-eoi": "an interrupt controller's matter",
}
RULES = IN_OBJECTS | IN_THE_KERNEL | IN_THE_MACHINE

# Those of the CPU's own vectors, where all but one show.
EXCEPTIONS = ("--table", "isr_0_DE", "--stride", "16", "--count", "32")
BEHIND_THEM = ("vector-imm8",)


@dataclass
class Broken:
    """A bug, and a copy of the tree that has it."""

    bug: Bug
    tree: Tree


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    """One tree for all bugs, one behind the other."""
    made = Tree(f"museum/{os.getpid()}")  # of each worker of pytest-xdist
    yield made
    made.remove()


@pytest.fixture(scope="module")
def broken(request: pytest.FixtureRequest, tree: Tree) -> Iterator[Broken]:
    """For all tests of one bug, which pytest lets follow each other."""
    bug = request.param
    try:
        tree.apply(bug)
        yield Broken(bug, tree)
    finally:
        tree.restore()


# The same one for all tests: pytest groups them by the place in it.
with_each = pytest.mark.parametrize(
    "broken", MUSEUM, ids=lambda bug: bug.name, indirect=True, scope="module"
)


@with_each
def test_it_is_caught(broken: Broken) -> None:
    bug = broken.bug
    catches = [catch for catch in bug.catches if catch.check != "fuzz" or checks.HAS_SILICON]
    if not catches:
        pytest.skip("only the fuzzer finds it, and the stubs run on x86-64 alone")
    for catch in catches:
        found = checks.CHECKS[catch.check](broken.tree, catch)
        assert checks.is_named(catch, found), f"{catch}: {catch.symptom!r} is not in {found!r}"


def lint(tmp_path: Path, *arguments: object) -> set[str]:
    """Return the rules that stublint finds broken."""
    from lint import cli

    answer = tmp_path / "report.json"
    assert cli.main([*map(str, arguments), "--json", str(answer)]) == cli.FINDINGS
    return {finding["rule"] for finding in json.loads(answer.read_text())["findings"]}


@with_each
def test_stublint_finds_it_under_its_rule(broken: Broken, tmp_path: Path) -> None:
    name, tree = broken.bug.name, broken.tree
    if name in BEYOND:
        pytest.skip(f"stublint cannot see it: {BEYOND[name]}")
    for module in ("unicorn", "capstone", "elftools"):
        pytest.importorskip(module)
    if name in IN_OBJECTS:
        objects = [tree.make(f"asm/{source}.asm.o") for source in ("stubs", "entry")]
        found = lint(tmp_path, *objects, *(() if name in BEHIND_THEM else EXCEPTIONS))
    elif name in IN_THE_KERNEL:
        found = lint(tmp_path, tree.make("barestub.elf"))
    else:
        found = lint(tmp_path, "--boot", tree.make("barestub.iso"))
    assert RULES[name] in found


def test_stublint_forgets_no_mistake() -> None:
    assert {bug.name for bug in MUSEUM} == RULES.keys() | BEYOND.keys()


def test_the_same_checks_are_content_with_the_kernel_as_it_is(tree: Tree) -> None:
    tree.restore()  # pytest lets the last bug live on
    assert checks.static(tree) == ""
    subjects = sorted({c.subject for bug in MUSEUM for c in bug.catches if c.check == "check"})
    words = [*(f"raise {subject}" for subject in subjects), "poweroff"]
    said = play(tree.make("run.bare.iso", run="; ".join(words)), checks.TIMEOUT).text
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
