"""stublint on right interrupt paths of several designs, each broken in every way that there is an
edit for: each mistake is found under its rule, and nothing is found that is not there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

import proof  # noqa: E402
from linting import SOURCES, Workbench  # noqa: E402


@pytest.mark.parametrize("name", proof.DESIGNS)
def test_each_mistake_is_found_and_nothing_else(name: str, tmp_path: Path) -> None:
    if "Clang" in name and shutil.which("clang") is None:
        pytest.skip("without Clang")
    result = proof.Proof()
    proof.prove(result, name, tmp_path)
    assert result.wrong() == []


def test_tables() -> None:
    result = proof.Proof()
    proof.prove_tables(result)
    assert result.wrong() == []


def test_every_edit_is_used() -> None:
    """A landmark that is misspelt in an edit would never be found."""
    texts = [design.text() for name, design in proof.DESIGNS.items() if "Clang" not in name]
    there = [proof.landmarks(text) for text in texts]
    for edit in proof.EDITS:
        needed = {landmark for _, landmark, _ in edit.changes}
        assert any(needed <= marks for marks in there), edit.name


@pytest.mark.parametrize("name", ["naked", "interrupt"])
def test_what_rustc_makes_today(name: str, tmp_path: Path) -> None:
    """The corpus has the assembly of one rustc. Another one's is right as well."""
    rustc = shutil.which("rustc")
    if rustc is None:
        pytest.skip("without rustc")
    source = (SOURCES / "corpus" / "naked.rs").read_text()
    flags = source.partition("1 rustc ")[2].partition("--emit")[0].replace("\\\n//", "").split()
    target = tmp_path / f"{name}.o"
    command = [rustc, *flags, "--emit", f"obj={target}"]
    done = subprocess.run(
        [*command, SOURCES / "corpus" / f"{name}.rs"],
        env={**os.environ, "RUSTC_BOOTSTRAP": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"{rustc} cannot build it: {done.stderr.splitlines()[0]}")
    assert Workbench(tmp_path).lint(target).rules() == {"no-code-frame"}
