"""The commands of the Makefile: each has what it names, and takes what a person gives it."""

from __future__ import annotations

import os
import re
import shutil
import string
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, ROOT
from emulator.playback import play
from person import terminal

MAKEFILE = (ROOT / "Makefile").read_text()
COMMANDS = re.findall(r"^([a-z_-]+):.* ## ", MAKEFILE, re.MULTILINE)
OWN_PATH = re.compile(r"(?<![\w/.-])(?:scripts|tests)/[\w./-]*\w")
GROUPS = re.compile(r"scripts/deps ([a-z ]+)$", re.MULTILINE)
DEPS = ROOT / "scripts" / "deps"

NEED_NO_TOOL = ("clean", "help", "fresh")  # scripts/fresh asks scripts/deps, if it is root

# What scripts/deps itself runs; no tool of ours is among them.
DEPS_TOOLS = ("sh", "env", "id", "uname", "sed", "tr", "sort", "ls", "grep")


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", f"BUILD={BUILD}", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def is_ours(path: str) -> bool:
    """Whether a clone has @path; elsewhere than in a clone, whether it is there."""
    command = ["git", "ls-files", "--error-unmatch", path]
    if (ROOT / ".git").exists() and shutil.which("git"):
        return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    return (ROOT / path).exists()


def test_help_lists_every_command() -> None:
    listed = re.findall(r"^  make (\S+)", make("help").stdout, re.MULTILINE)
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)[1]
    assert listed == COMMANDS
    assert sorted({*phony.replace("\\", "").split()} - {"FORCE"}) == sorted(COMMANDS)


def test_each_command_is_tried_on_a_fresh_system() -> None:
    table = (ROOT / "tests" / "every_command").read_text().split("'")[1]
    tried = {line.split()[0] for line in table.split("\n") if line}
    assert tried | {"fresh"} == set(COMMANDS)  # which is what tries them


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_what_it_names(command: str) -> None:
    """Scripts and files that a clone has, and groups that scripts/deps knows."""
    done = make("-n", command)
    assert done.returncode == 0, done.stderr
    paths = set(OWN_PATH.findall(done.stdout))
    assert [path for path in sorted(paths) if not is_ours(path)] == []
    assert "scripts/deps" in paths or command in NEED_NO_TOOL
    for groups in GROUPS.findall(done.stdout):
        refused = deps(*groups.split()).returncode == 2
        assert not refused, groups


def test_the_makefile_names_no_file_that_is_not_there() -> None:
    rules = (ROOT / "tests" / "silicon" / "rules.mk").read_text()
    paths = {path for path in OWN_PATH.findall(MAKEFILE + rules) if "%" not in path}
    assert [path for path in sorted(paths) if not is_ours(path)] == []


def test_a_misspelt_option_is_named() -> None:
    done = make("-n", "run", "FALUTS=mine")
    assert done.returncode != 0 and "FALUTS" in done.stderr


def test_a_space_in_a_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "my faults").mkdir()
    (tmp_path / "my faults" / "one.asm").touch()
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "my fault.asm").touch()
    for directory, name in (("my faults", "my faults"), ("faults", "faults/my...")):
        done = make("-n", "run", f"FAULTS={tmp_path}/{directory}")
        assert done.returncode != 0
        assert "space in its name" in done.stderr and f"{tmp_path}/{name}" in done.stderr


WORDS = BUILD / f"words-{os.getpid()}.iso"  # pytest-xdist's workers are processes


def words_image(words: str) -> subprocess.CompletedProcess[str]:
    return make(str(WORDS), f"RUN={words}")


def test_the_monitor_gets_every_printable_character() -> None:
    """No character means anything to make, to the shell or to GRUB."""
    every = " ".join((string.ascii_letters + string.digits, string.punctuation)).replace(";", "")
    (BUILD / "oops").unlink(missing_ok=True)
    command = f"$(shell touch {BUILD}/oops) `touch {BUILD}/oops` $HOME ${{HOME}} {every}"
    done = words_image(f"help {command}; poweroff")
    assert done.returncode == 0, done.stderr
    played = play(WORDS, 60)
    assert f'`help` takes no argument, got "{command}".' in played.text
    assert not (BUILD / "oops").exists()


@pytest.mark.parametrize(
    "words, why",
    [
        ("check\npoweroff", "character 6, '\\n', is no printable"),
        ("häufig", "character 2, 'ä', is no printable"),
        ("list;" * 1600, "8000 characters: quoted 8010"),
        ("\\" * 4000, "4000 characters: quoted 8006"),
        ("'" * 2000, "2000 characters: quoted 8010"),
    ],
)
def test_words_that_cannot_come_through_are_refused(words: str, why: str) -> None:
    environment = {**os.environ, "RUN_WORDS": words, "PYTHONUTF8": "1"}
    command = [str(ROOT / "scripts" / "build" / "run_cfg"), str(BUILD / "refused.cfg")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and why in done.stderr
    assert not (BUILD / "refused.cfg").exists()
    assert words_image(words).returncode != 0


@pytest.mark.parametrize(
    "letter, length, around", [(";", 1, "set run=''"), ("'", 4, "set run=''"), ("\\", 2, '"run="')]
)
def test_the_longest_line_that_is_taken_comes_through_whole(
    letter: str, length: int, around: str
) -> None:
    """GRUB and the kernel take what the Makefile does, also where quotes make it longer."""
    end = "; help last; poweroff"
    words = letter * ((8000 - len(around) - len(end)) // length) + end
    assert words_image(letter + words).returncode != 0
    assert words_image(words).returncode == 0
    assert 'got "last"' in play(WORDS, 60).text


def deps(*groups: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Look for the tools of @groups, and install none."""
    environment = {**os.environ, "NO_INSTALL": "1", **variables}
    return subprocess.run([str(DEPS), *groups], env=environment, capture_output=True, text=True)


def test_an_unknown_group_is_named() -> None:
    done = deps("kernel", "kernle")
    assert done.returncode == 2 and '"kernle"' in done.stderr


@pytest.fixture
def bare_system(tmp_path: Path) -> Path:
    """A directory for PATH on which there is no tool, and an apt-get that says what it is told."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in DEPS_TOOLS:
        (path / tool).symlink_to(shutil.which(tool))
    apt = path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    apt.chmod(0o755)
    (path / "sudo").symlink_to(shutil.which("env"))
    return path


def told(bare_system: Path) -> str:
    """What apt-get was told to install."""
    file = bare_system.parent / "told"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("answer, installs", [("", True), ("y", True), ("n", False)])
def test_a_person_is_asked_before_anything_is_installed(
    bare_system: Path, answer: str, installs: bool
) -> None:
    command = ["env", "-u", "CI", "-u", "NO_INSTALL", f"PATH={bare_system}", str(DEPS), "bugs"]
    with terminal(command) as person:
        person.wait_for(r"apt-get install -y --no-install-recommends binutils patch\r\n"
                        r"Install them now\? \[Y/n\] $")
        assert told(bare_system) == ""
        person.type(f"{answer}\r")
        person.process.wait(10)
        assert ("install -y" in told(bare_system)) == installs


def test_what_apt_does_not_bring_is_no_endless_loop(bare_system: Path) -> None:
    """The package was installed, and the file is still not there."""
    done = deps("format", PATH=str(bare_system), NO_INSTALL="", CI="1")
    assert done.returncode == 1 and "still missing" in done.stdout
    assert told(bare_system).count("install -y") == 1
