"""The commands of the Makefile: each has what it names, and takes what a person gives it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import string
import subprocess
import sys
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

OPTIONS = dict(re.findall(r"^([a-z_-]+)\.options := (.*)", MAKEFILE, re.MULTILINE))
EXAMPLE = re.compile(r"\bmake ([a-z-]+)((?: [A-Z]+=(?:\"[^\"]*\"|[^\s`]+))+)")

NEED_NO_TOOL = ("clean", "help", "fresh")  # scripts/fresh asks scripts/deps, if it is root

# What scripts/deps itself runs; no tool of ours is among them.
DEPS_TOOLS = ("sh", "env", "id", "uname", "sed", "tr", "sort", "ls", "grep")


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", f"BUILD={BUILD}", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@functools.cache
def kept() -> set[str] | None:
    """The files that git keeps of a clone, and their directories; None elsewhere."""
    if not ((ROOT / ".git").exists() and shutil.which("git")):
        return None
    command = ["git", "ls-files"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = done.stdout.splitlines()
    return {*files, *(str(directory) for file in files for directory in Path(file).parents)}


def is_ours(path: str) -> bool:
    """Whether a clone has @path; elsewhere than in a clone, whether it is there."""
    ours = kept()
    return (ROOT / path).exists() if ours is None else path in ours


def test_help_lists_every_command() -> None:
    listed = re.findall(r"^  make (\S+)", make("help").stdout, re.MULTILINE)
    phony = re.search(r"^COMMANDS :=((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)[1]
    assert listed == COMMANDS
    assert sorted(phony.replace("\\", "").split()) == sorted(COMMANDS)


def test_help_fits_80_columns_and_has_all_options() -> None:
    lines = make("help").stdout.splitlines()
    assert not [line for line in lines if len(line) > 80]
    at = {line.split()[1]: number for number, line in enumerate(lines) if line.startswith("  make ")}
    assert all(lines[at[command] + 1].strip() == words for command, words in OPTIONS.items())
    assert set(OPTIONS) < set(at)


def test_each_command_is_tried_on_a_fresh_system() -> None:
    table = (ROOT / "tests" / "every_command").read_text().split("'")[1]
    tried = {line.split()[0] for line in table.split("\n") if line}
    assert tried | {"fresh"} == set(COMMANDS)  # which is what tries them


@functools.cache
def known_groups() -> set[str]:
    """Those of the table of scripts/deps, each of which it takes."""
    table = DEPS.read_text().split('table="')[1].split('"')[0]
    groups = {line.split()[0] for line in table.splitlines() if line}
    assert deps(*groups).returncode != 2
    return groups


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_what_it_names(command: str) -> None:
    """Scripts and files that a clone has, and groups that scripts/deps knows."""
    done = make("-n", command)
    assert done.returncode == 0, done.stderr
    paths = set(OWN_PATH.findall(done.stdout))
    assert [path for path in sorted(paths) if not is_ours(path)] == []
    assert "scripts/deps" in paths or command in NEED_NO_TOOL
    for groups in GROUPS.findall(done.stdout):
        assert set(groups.split()) <= known_groups(), groups


def test_the_makefile_names_no_file_that_is_not_there() -> None:
    rules = (ROOT / "tests" / "silicon" / "rules.mk").read_text()
    paths = {path for path in OWN_PATH.findall(MAKEFILE + rules) if "%" not in path}
    assert [path for path in sorted(paths) if not is_ours(path)] == []


def as_typed(*words: str) -> subprocess.CompletedProcess[str]:
    """What a person gets, whose make is no part of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=clean)


@pytest.mark.parametrize(
    "words, why",
    [
        ("rnu", 'There is no command "rnu". Did you mean run?'),
        ("xyzzy", 'There is no command "xyzzy". See `make help`.'),
        ("run FALUTS=mine", "There is no option FALUTS. Did you mean FAULTS?"),
        ("run CPU_S=4", "There is no option CPU_S. Did you mean CPUS, CPU?"),
        ("bugs ZZZ=4", "There is no option ZZZ. Makefile"),
        ("hostile TRAPS=5", "TRAPS is for `make soak`, not for `make hostile`."),
        ("hostile TRAPS=5", ". `make hostile` takes PROGRAMS, SEED, EMU. "),
        ("run SHARD=1/2", "SHARD is for `make campaign`, not for `make run`."),
        ("run FAULT=x", "`make run`. Did you mean FAULTS?"),
        ("CPUS=4", "for `make run`, `make debug` and `make soak`, not for `make all`."),
        ("bugs help SEED=4", "not for `make bugs` and `make help`."),
        ("run UEFI=0", 'UEFI is 1, or is left out, not "0".'),
        ("bugs WERROR=0", 'WERROR is 1, or is left out, not "0".'),
        ("run EMU=boch", 'EMU is qemu, bochs or kvm, not "boch". Did you mean bochs?'),
        ("trace FAULT=bp-int3 BUG=no-dummy", "FAULT and BUG: `make trace` takes one of them."),
        ("bugs BUILD=", "BUILD=: a directory is wanted"),
        ("test EMU=bochs", 'EMU is qemu or kvm, not "bochs".'),
    ],
)
def test_a_word_that_does_nothing_is_refused(words: str, why: str) -> None:
    done = as_typed(*words.split())
    assert done.returncode == 2 and done.stdout == ""
    assert why in " ".join(done.stderr.split()), done.stderr
    assert not [line for line in done.stderr.splitlines() if len(line) > 80]


@pytest.mark.parametrize(
    "script, why",
    [
        ("scripts/campaign --shard=9/8 build", "SHARD is such as 2/8, the second of eight parts"),
        ("tests/fuzz/run.py build x", 'SECONDS is a number from 1 to 604800, not "x".'),
        ("scripts/run --cpus=abc iso", 'CPUS is a number from 1 to 32, not "abc".'),
        ("scripts/soak --cpus=99 iso", 'CPUS is a number from 1 to 32, not "99".'),
        ("scripts/soak --emu=bochs --icount iso", "leave ICOUNT out."),
        ("scripts/run --emu=bochs --uefi iso", "Bochs has a BIOS only: leave UEFI out"),
        ("scripts/debug --record --walk=bp-int3 elf iso", "leave out RR, or WALK."),
        ("scripts/debug --gdb=no-such-gdb elf iso", "GDB=no-such-gdb: there is no such program"),
        ("scripts/debug --fault=pf-nul elf iso", "Did you mean pf-null-read"),
        ("scripts/debug --walk=nonsense elf iso", 'There is no fault "nonsense".'),
        ("scripts/break nodummy", 'There is no bug "nodummy". Did you mean no-dummy?'),
        ("scripts/break ", "Which bug?"),
    ],
)
def test_a_script_refuses_an_option_in_the_words_of_make(script: str, why: str) -> None:
    """Before it looks at anything else; and without its usage."""
    command = [sys.executable, *script.split(" ")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("barestub: ") and why in " ".join(done.stderr.split())
    assert not [line for line in done.stderr.splitlines() if len(line) > 80]


@pytest.mark.parametrize(
    "words",
    [
        "fresh help SUITE=sid",
        "build/generated/version.c RUN=help",
        "bugs CC=clang WERROR=1 NO_INSTALL=",
        "help bugs",
    ],
    ids=["of one of the goals", "of a file", "of all", "none"],
)
def test_an_option_of_use_is_taken(words: str) -> None:
    done = as_typed("-n", *words.split())
    assert done.returncode == 0, done.stderr


def test_what_make_starts_itself_may_inherit_any_option() -> None:
    inherits = {**os.environ, "MAKELEVEL": "1", "MAKEFLAGS": " -- SEED=4"}
    done = subprocess.run(["make", "help"], cwd=ROOT, env=inherits, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", ["README.md", "tests/every_command"])
def test_examples_use_options_of_their_commands(file: str) -> None:
    tools = re.search(r"^TOOLS :=((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)[1]
    examples = EXAMPLE.findall((ROOT / file).read_text())
    assert len(examples) > 10
    for command, words in examples:
        taken = re.findall(r"([A-Z_]+)=", f"{OPTIONS[command]} {tools}")
        given = re.findall(r" ([A-Z]+)=", re.sub(r'"[^"]*"', "", words))
        assert set(given) <= set(taken), f"make {command}{words}"


def test_python_keeps_its_caches_in_the_build_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    for build, place in (("build", ROOT / "build"), (tmp_path, tmp_path)):
        told = f"{build}/told:;@echo $$PYTHONPYCACHEPREFIX$$PYTHONDONTWRITEBYTECODE"
        done = make("-s", f"BUILD={build}", f"--eval={told}", f"{build}/told")
        assert done.stdout == f"{place}/pycache\n", done.stderr


def test_a_space_in_a_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "my faults").mkdir()
    (tmp_path / "my faults" / "one.asm").touch()
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "my fault.asm").touch()
    for directory, name in (("my faults", "my faults"), ("faults", "faults/my...")):
        done = make("-n", "run", f"FAULTS={tmp_path}/{directory}")
        assert done.returncode != 0
        assert "space in its name" in done.stderr and f"{tmp_path}/{name}" in done.stderr


WORDS = BUILD / f"words-{os.getpid()}.bare.iso"  # pytest-xdist's workers are processes


def words_image(words: str) -> subprocess.CompletedProcess[str]:
    return make(str(WORDS), f"RUN={words}")


def test_the_monitor_gets_every_printable_character() -> None:
    """No character means anything to make, to the shell or to GRUB."""
    every = " ".join((string.ascii_letters + string.digits, string.punctuation)).replace(";", "")
    (BUILD / "oops").unlink(missing_ok=True)
    command = f"$(shell touch {BUILD}/oops) `touch {BUILD}/oops` $HOME ${{HOME}} {every}"
    done = words_image(f"help {command}; poweroff")
    assert done.returncode == 0, done.stderr
    played = play(WORDS, 60, exact=False)
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
    assert 'got "last"' in play(WORDS, 60, exact=False).text


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
