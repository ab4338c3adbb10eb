"""The house: who may know whom. A room knows those below it, and so the code can be read, tested and
taken away from the bottom up."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

# What every compiler brings itself. Debian's GCC asks the C library for its limits.h, which a system
# that only builds the kernel has not.
FREESTANDING = {"stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h"}

# From the bottom up. boot/ is the loader's word, which memory is made from; kernel/kmain.c, which is in
# no room, knows all.
FLOORS = (
    "lib", "boot", "cpu", "trap", "devices", "console", "report", "faults", "storm", "hostile",
    "monitor", "kmain",
)  # fmt: skip

INCLUDE = re.compile(r'^#include "(\w+)/[\w.]+"', re.MULTILINE)
SYSTEM_INCLUDE = re.compile(r"^#include <([\w.]+)>", re.MULTILINE)
ASM_INCLUDE = re.compile(r'^%include "(\w+)/[\w.]+"', re.MULTILINE)


def room(source: Path) -> str:
    """The room that @source is in."""
    parts = source.relative_to(ROOT).parts
    return source.stem if len(parts) == 2 and parts[0] == "kernel" else parts[-2]


def sources() -> list[Path]:
    return [file for room in ("boot", "kernel") for file in sorted((ROOT / room).rglob("*.[ch]"))]


@pytest.mark.parametrize("source", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_go_down(source: Path) -> None:
    here = room(source)
    up = {
        other
        for other in INCLUDE.findall(source.read_text())
        if FLOORS.index(other) > FLOORS.index(here)
    }
    assert not up, (
        f"{here}/ is below {', '.join(sorted(up))}/ and must not know it: the order is"
        f" {' < '.join(FLOORS)}. Hand the thing down from kmain(), or move it."
    )


def test_the_kernel_needs_no_c_library() -> None:
    found = {name for source in sources() for name in SYSTEM_INCLUDE.findall(source.read_text())}
    assert found <= FREESTANDING


def test_the_exhibit_knows_the_trap_room_and_constants_alone() -> None:
    for source in sorted((ROOT / "asm").iterdir()):
        assert set(ASM_INCLUDE.findall(source.read_text())) <= {"trap", "cpu"}, source.name


def test_a_room_is_a_room() -> None:
    """Nothing but kmain.c stands in the hall, and each room is a floor."""
    kernel = ROOT / "kernel"
    assert [path.name for path in kernel.iterdir() if path.is_file()] == ["kmain.c"]
    assert {path.name for path in kernel.iterdir() if path.is_dir()} <= set(FLOORS)


def test_what_git_keeps_is_text() -> None:
    """A dump of a core, or what a compiler wrote, is soon added by mistake. A picture is meant."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no clone")
    kept = [ROOT / name for name in listed.stdout.split("\0") if name]
    binary = [path for path in kept if path.is_file() and b"\0" in path.read_bytes()]
    assert [path.name for path in binary if path.suffix != ".webp"] == []
