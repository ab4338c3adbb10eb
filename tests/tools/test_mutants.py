"""A sample of the mutants of the interrupt path, always the same one: `make mutate` tries all, and
the equivalents too."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import checks
import mutants
import mutate
from guest import Guest
from museum.bugs import Tree
from mutants import Mutant

EVERY = mutants.mutants()
EQUIVALENTS = mutants.equivalents()
WRONG = [mutant for mutant in EVERY if mutant.name not in EQUIVALENTS]
SEED = 1
# Those of C take a boot each.
SAMPLE = [
    mutant
    for is_c, size in ((False, 36), (True, 6))
    for mutant in random.Random(SEED).sample([m for m in WRONG if m.is_c == is_c], size)
]


@pytest.fixture(scope="session")
def tree() -> Tree:
    """A worker's own copy of the tree."""
    return mutate.sound_tree(os.environ.get("PYTEST_XDIST_WORKER", "main"))


@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda m: m.name)
def test_it_is_killed(mutant: Mutant, tree: Tree) -> None:
    killer, _ = mutate.kill(tree, mutant)
    assert killer, "it survives"


def test_every_source_has_mutants() -> None:
    assert {mutant.source for mutant in EVERY} == mutants.CHANGES.keys()


def test_every_equivalent_is_one_of_the_mutants() -> None:
    assert EQUIVALENTS.keys() - {mutant.name for mutant in EVERY} == set()


class Silent(Guest):
    """One that has nothing to say."""

    def report(self) -> str:
        return ""


def test_who_has_halted_is_not_waited_for() -> None:
    guest = Silent()
    guest.hear(b"KERNEL PANIC: a bug\nSystem Halted.\n")
    with pytest.raises(AssertionError, match="the machine has ended") as error:
        guest.wait_for("prompt")
    assert not checks.LATE.search(str(error.value))


def test_what_is_late_is_tried_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="timeout") as error:
        Silent().wait_for("prompt", timeout=0)
    said = f"FAILED kernel/test_a.py::test_b[c] - AssertionError: {error.value}"
    runs = []
    monkeypatch.setattr(checks, "_run_pytest", lambda _, *words: runs.append(words) or said)
    tree = SimpleNamespace(make=Path)
    with pytest.raises(checks.TimedOut) as late:
        checks.machines(tree, "kernel/trap/idt.c")
    assert late.value.again(tree)
    assert runs[1] == ("-x", "kernel/test_a.py::test_b[c]")


@pytest.mark.parametrize("late, is_hang", [("mutant", True), ("mutant, sound", False), ("", False)])
def test_a_mutant_hangs_if_a_sound_kernel_beside_it_does_not(
    late: str, is_hang: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutate, "beside", lambda tree: "sound")
    assert mutate.hangs("mutant", lambda tree: tree in late) == is_hang


def test_each_mutant_is_counted_once() -> None:
    killers = {"a": "catalogue", "b": mutate.BUILD, "c": mutate.SAME, "d": "", "e": mutate.BUSY}
    killers |= {"f": "", "g": mutate.SAME, "h": mutate.HANG}
    equivalents = {"f": "a reason", "g": "a reason"}
    assert mutate.figures(killers, equivalents) == (
        "8 mutants: 1 do not build, 1 are the same program, 1 survive, 1 unsure, "
        "2 are proven equivalents; 2 are killed (1 by catalogue, 1 by hang)."
    )
    wrong = mutate.wrongs(killers, equivalents | {"a": "a reason", "x": "a reason"})
    assert sorted(line.partition(":")[0] for line in wrong) == ["a", "d", "e", "x"]


def test_who_is_interrupted_tells_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(every: list[Mutant]) -> Iterator[tuple[Mutant, str, str]]:
        yield every[0], "", ""
        yield every[1], "catalogue", "a symptom " * 10
        raise KeyboardInterrupt

    monkeypatch.setattr(mutate, "try_all", interrupted)
    assert mutate.main("judge.c") == mutate.INTERRUPTED
    told = capsys.readouterr().out
    names = [mutant.name for mutant in EVERY if "judge.c" in mutant.name]
    assert told.startswith(f"{len(names)} mutants, ")
    assert f"{names[0]}: survives\n" in told
    assert "\nC: 2 mutants: 1 survive, 0 are proven equivalents; 1 are killed" in told
    assert told.endswith(f"Interrupted behind 2 of {len(names)}. K= takes fewer.\n")
    # A name at the end is whole, to be copied.
    lines = [line.removesuffix(": survives") for line in told.splitlines()]
    assert [line for line in lines if len(line) > 80 and line not in names] == []
