"""The build, with whatever tools there are: no warning, and no end because a tool has changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from elf.symbols import binutil

RANGES = ROOT / "scripts" / "build" / "ranges"
WARNING = "keeps the debugging information"


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_there_is_no_warning(compiler: str, tmp_path: Path) -> None:
    """Neither of the compilers, nor of the assembler, nor of the linker."""
    targets = [str(tmp_path / name) for name in ("barestub.elf", "silicon/fuzz", "silicon/native")]
    done = make("WERROR=1", f"CC={compiler}", f"BUILD={tmp_path}", *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def test_debugging_information_of_another_kind_stays_as_it_is(elf: str, tmp_path: Path) -> None:
    """A section that is missing, and one that says something else: a warning, and the same file."""
    changes = {
        "without": ["--remove-section=.debug_aranges"],
        "otherwise": [f"--update-section=.debug_abbrev={RANGES}"],
    }
    for name, change in changes.items():
        copy = tmp_path / name
        subprocess.run([binutil("objcopy"), *change, elf, str(copy)], check=True)
        before = copy.read_bytes()
        command = [str(RANGES), str(copy), binutil("objcopy")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert WARNING in done.stderr and copy.read_bytes() == before


def test_a_tool_that_is_not_there_does_not_stop_the_build(elf: str, tmp_path: Path) -> None:
    copy = shutil.copy(elf, tmp_path / "copy")
    done = subprocess.run([str(RANGES), copy, "no-such-objcopy"], capture_output=True, text=True)
    assert done.returncode == 0 and WARNING in done.stderr
