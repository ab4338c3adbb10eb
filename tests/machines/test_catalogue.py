"""The words of tests/faults/fault.inc: what is written wrong is refused by the assembler, in words,
and what is expected wrong is a failure in the kernel."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deviations
import native
import own_entries
from conftest import BUILD, ROOT
from emulator.playback import Played, play
from museum.bugs import Tree
from own_entries import DEVIATING, WRONG

NAMES = ROOT / "scripts" / "build" / "names"
INCLUDES = [part for path in ("kernel/", "asm/", "tests/faults/") for part in ("-I", path)]
TIMEOUT = 60

# What is told of a row of the table, by the verdict.
REASONS = {
    "known": ["QEMU TCG: a reason"],
    "pass": ["unlike other versions of QEMU TCG: a reason"],
}

GOOD = """\
%include "fault.inc"
fault   3, "x-1", "a summary"
.here:  ud2
.next:  done
expect  UD, .here, then .next
"""


def assemble(source: str, directory: Path) -> str:
    """Assemble @source as my.asm; return what NASM says."""
    file = directory / "my.asm"
    file.write_text(source)
    command = ["nasm", "-f", "elf64", *INCLUDES, "-o", str(directory / "my.o"), str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT)
    assert bool(done.returncode) == ("error: " in done.stderr), done.stderr
    return done.stderr


def test_a_good_file_is_assembled(tmp_path: Path) -> None:
    assert assemble(GOOD, tmp_path) == ""


@pytest.mark.parametrize(
    "change, line, message",
    [
        (('"x-1"', '""'), 2, 'the name "" has not 1 to 40 characters'),
        (('"x-1"', f'"{"x" * 41}"'), 2, "has not 1 to 40 characters"),
        (('"x-1"', '"X-1"'), 2, 'the name "X-1" has a character that is not a lower-case letter'),
        (('"x-1"', '"x_1"'), 2, 'the name "x_1" has a character that is not'),
        (("fault   3", "fault   2"), 2, "the ring is 0 or 3, not 2"),
        (("a summary", "s" * 45), 2, "has more than 44 characters"),
        (('summary"', 'summary", fatl'), 2, "fault has no option fatl"),
        (('summary"', 'summary", needs SMPA'), 2, "has no feature SMPA"),
        (("then", "thn"), 5, "expect has no option thn .next"),
        (("then", "rip 5, then"), 5, "expect has no option rip 5"),
        (("UD, ", "QQ, "), 5, "vectors.def has no vector QQ"),
        (("expect  UD, .here, then .next", "shutdown UD"), 5, "the entry is not `fatal`"),
        (("then .next", 'then .next\ndeviates VAX, "x"'), 6, "there is no emulator VAX"),
        (("then .next", 'then .next\ndeviates QEMU, "x", rip 1'), 6, "say `trap` in front of"),
        (("then .next", 'then .next\ndeviates QEMU, "x", trap, rp 1'), 6, "no option rp 1"),
        (("then .next", 'then .next\ndeviates QEMU, "x", trap, any CR7'), 6, "has no CR7"),
        (('"fault.inc"\n', '"fault.inc"\nexpect UD, 0\n'), 2, "belongs behind its `fault`"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_written_wrong_is_named(
    change: tuple[str, str], line: int, message: str, tmp_path: Path
) -> None:
    said = assemble(GOOD.replace(*change, 1), tmp_path)
    assert re.search(rf"my\.asm:{line}: error: .*{re.escape(message)}", said), said


def test_an_entry_has_a_limit_of_expectations(tmp_path: Path) -> None:
    many = GOOD + "%rep 255\nexpect UD, .here\n%endrep\n"
    assert assemble(many, tmp_path) == ""
    assert "256 expectations at most" in assemble(many + "expect UD, .here\n", tmp_path)


def names(stamp: Path, *files: Path) -> str:
    """Run scripts/build/names; return what it says."""
    command = [sys.executable, str(NAMES), str(stamp), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert stamp.exists() == (done.returncode == 0) == (not done.stderr), done.stderr
    return done.stderr


def test_a_name_is_there_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first.asm", tmp_path / "second.asm"
    first.write_text(GOOD)
    second.write_text("; mine\n" + GOOD)
    said = names(tmp_path / "stamp", first, second)
    assert said == f'{second}:3: error: the name "x-1" is taken, by {first}:2\n'
    second.write_text(GOOD.replace("x-1", "x-2") + GOOD.replace("x-1", "x-2"))
    said = names(tmp_path / "stamp", first, second)
    assert said == f'{second}:7: error: the name "x-2" is taken, by {second}:2\n'
    second.write_text(GOOD.replace("x-1", "x-2"))
    assert names(tmp_path / "stamp", first, second) == ""


def test_a_file_without_its_words_is_named(tmp_path: Path) -> None:
    file = tmp_path / "my.asm"
    file.write_text(GOOD.partition("\n")[2])
    assert names(tmp_path / "stamp", file).startswith(f'{file}:1: error: "fault" is a word of')


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    """A tree with the wrong entries added, and those that a process can run."""
    assert BUILD.exists()
    made = Tree(f"wrong-entries-{os.getpid()}")  # of each worker of pytest-xdist
    own_entries.add(made)
    own_entries.add_for_a_process(made)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def checked(tree: Tree) -> Played:
    """What the kernel says of that catalogue."""
    words = f"{own_entries.RUN}; poweroff"
    return play(tree.make("run.bare.iso", run=words, faults=own_entries.DIRECTORY), TIMEOUT)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_expected_wrong_is_a_failure(name: str, checked: Played) -> None:
    _, reason = WRONG[name]
    assert re.search(f"^result: name={name} fail {reason}$", checked.text, re.MULTILINE)
    assert checked.ending == "powered off after a failure"


@pytest.mark.parametrize("name", DEVIATING)
def test_a_deviation_is_what_the_entry_says(name: str, checked: Played) -> None:
    verdict = DEVIATING[name][2]
    before, _, result = checked.text.partition(f"result: name={name} ")
    assert re.match(rf"{verdict}\b", result)
    told = re.findall(r"^ +(.*QEMU TCG: a reason)$", before.rpartition("result: ")[2], re.MULTILINE)
    assert told == REASONS.get(verdict, [])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this is no x86-64 CPU")
def test_a_process_knows_what_the_entry_says_of_the_cpu(tree: Tree) -> None:
    tree.make("silicon/native")
    raised = native.raise_all(tree.build)
    for name, (*_, verdict) in own_entries.IN_A_PROCESS.items():
        judgement = deviations.judge_by_own_rows(raised[name].expected, raised[name])
        came = "fail" if judgement.wrong else "known" if judgement.deviation else "pass"
        came = "skip" if raised[name].result.startswith("skip") else came
        assert came == verdict, name
