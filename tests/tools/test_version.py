"""The version: one source, which the kernel, the tools and an archive all speak from."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

SOURCE = ROOT / "scripts" / "version.py"
TOOLS = ("run", "debug", "stublint", "break", "bench", "compare", "truth")


def asked(path: Path) -> str:
    """What the version.py at @path says."""
    done = subprocess.run(["/usr/bin/python3", path], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(path: Path) -> Path:
    """Make @path a clone's own directory, with what is in it committed."""
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All of it"]):
        author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *author, *words], cwd=path, check=True)
    return path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(SOURCE, tmp_path / "scripts")
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    return committed(tmp_path)


def head(clone: Path) -> str:
    words = ["git", "rev-parse", "--short=7", "HEAD"]
    return subprocess.run(words, cwd=clone, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_says_it(tool: str) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / tool, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"barestub {asked(SOURCE)}\n"


def test_the_kernel_has_it(elf: str) -> None:
    """The banner's and the panic's word is the build's, and this may be another commit's by now."""
    number = asked(SOURCE).split()[0]
    banner = re.escape(number.encode()) + rb"( \(\w{7}\+?\))?\0"
    assert re.search(banner, Path(elf).read_bytes())


def test_a_clone_says_its_commit(clone: Path) -> None:
    source = clone / "scripts" / "version.py"
    assert asked(source).endswith(f" ({head(clone)})")
    source.write_text(source.read_text() + "\n")
    assert asked(source).endswith(f" ({head(clone)}+)")


def test_an_archive_says_its_commit(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = tmp_path_factory.mktemp("archive")
    subprocess.run(f"git archive HEAD | tar x -C {away}", shell=True, cwd=clone, check=True)
    assert asked(away / "scripts" / "version.py").endswith(f" ({head(clone)})")


def test_a_copy_in_another_clone_does_not_say_that_ones(clone: Path) -> None:
    inside = clone / "build" / "scripts"
    inside.mkdir(parents=True)
    shutil.copy(SOURCE, inside)
    assert re.fullmatch(r"[\d.]+", asked(inside / "version.py"))
