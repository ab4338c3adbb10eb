"""The bug museum: the classic mistakes of tests/bugs/, and copies of the tree that have them.

A patch of the museum begins with a header, from which everything is made:

    Mistake: what is wrong, in a few words
    Machine: what happens on a real machine
    Duty: GROUP. What a compiler's interrupt convention would have done about it
    Caught-by: CHECK "SYMPTOM"

Lines may go on indented. There is a `Caught-by` for each check that must find the mistake:
tests/support/checks.py has them, and the symptom is a regular expression for what must be found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).absolute()
PATCHES = ROOT / "tests" / "bugs"

# In the order of the tour: what a compiler's interrupt convention does unseen, and what none does.
TITLES = {
    "arguments": "Arguments: what C is called with",
    "iretq": "IRETQ: the way back",
    "error code": "The error code, which is there or not",
    "alignment": "Alignment of the stack",
    "saving": "Saving and restoring",
    "beyond": "What no compiler does for anybody",
}
GROUPS = tuple(TITLES)

SOURCES = ("Makefile", "linker.ld", "grub.cfg", "asm", "boot", "kernel", "scripts", "tests")
COMPILED = (
    *("asm", "boot", "kernel", "tests", "generated", "silicon"),
    *("c-flags", "nasm-flags", "objects", "names"),
)
# A copy is no clone, and its version has no commit. Whatever the bug, it is but a string: it stays as
# it was built first.
VERSION = "build/generated/version.c"

FIELD = re.compile(r"^([A-Z][a-z-]+): (.*(?:\n[ \t]+.*)*)", re.MULTILINE)
CATCH = re.compile(r'^(\S+)(?: (\S+))? "(.*)"$')


@dataclass(frozen=True)
class Catch:
    """A check that must fail, on what, and the symptom that it must name."""

    check: str
    subject: str
    symptom: str

    def __str__(self) -> str:
        return f"{self.check} {self.subject}".strip()


@dataclass(frozen=True)
class Bug:
    """A patch of the museum and its header."""

    name: str
    mistake: str
    machine: str
    group: str
    duty: str
    catches: tuple[Catch, ...]
    diff: str

    @property
    def path(self) -> Path:
        return PATCHES / f"{self.name}.patch"


def _parse(path: Path) -> Bug:
    header, separator, diff = path.read_text().partition("\n--- ")
    fields: dict[str, list[str]] = {}
    for name, text in FIELD.findall(header):
        fields.setdefault(name, []).append(" ".join(text.split()))
    group, _, duty = fields["Duty"][0].partition(". ")
    catches = tuple(Catch(m[1], m[2] or "", m[3]) for m in map(CATCH.match, fields["Caught-by"]))
    mistake, machine = fields["Mistake"][0], fields["Machine"][0]
    return Bug(path.stem, mistake, machine, group, duty, catches, separator[1:] + diff)


def bugs() -> list[Bug]:
    """Return the museum, group by group."""
    found = [_parse(path) for path in sorted(PATCHES.glob("*.patch"))]
    return sorted(found, key=lambda bug: GROUPS.index(bug.group))


class BuildError(Exception):
    """A patch does not apply, or what it leaves does not build. Its text is the tool's."""


def _call(command: list[str], where: Path) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(done.stdout + done.stderr)
    return done.stdout


class Tree:
    """A copy of the tree and of what is built of it, so that only what is changed is built."""

    def __init__(self, name: str) -> None:
        """Make it anew as @name under build/."""
        self.path = BUILD / name
        self.build = self.path / "build"
        self.remove()
        self.build.mkdir(parents=True)
        self._copy([ROOT / source for source in SOURCES], self.path)
        self._copy([BUILD / part for part in COMPILED], self.build)
        self._sound = self._times()
        # Python compiles its own modules once for all copies.
        (BUILD / "pycache").mkdir(exist_ok=True)
        (self.build / "pycache").symlink_to(BUILD / "pycache")

    @staticmethod
    def _copy(sources: list[Path], target: Path) -> None:
        """Times are kept, for make goes by them."""
        there = [str(source) for source in sources if source.exists()]
        _call(["cp", "-Rp", *there, str(target)], ROOT)

    def _times(self) -> dict[str, int]:
        """When each file was changed, by its path in the tree."""
        times = {}
        for directory, _, names in os.walk(self.path):
            for name in names:
                path = os.path.join(directory, name)
                times[os.path.relpath(path, self.path)] = os.stat(path).st_mtime_ns
        return {path: time for path, time in times.items() if not path.startswith(VERSION)}

    def restore(self) -> None:
        """Make it what it was: nothing is left of a bug, and nothing sound is built again."""
        times = self._times()
        for path in times.keys() - self._sound.keys():
            (self.path / path).unlink()
        for path, time in self._sound.items():
            if times.get(path) != time:
                is_built = path.startswith("build/")
                original = BUILD / path.removeprefix("build/") if is_built else ROOT / path
                shutil.copy2(original, self.path / path)

    def remove(self) -> None:
        """Delete it; an ISO is large."""
        shutil.rmtree(self.path, ignore_errors=True)

    def apply(self, bug: Bug) -> None:
        """Patch it. Raises BuildError if the patch does not apply."""
        command = ["patch", "-p1", "--batch", "--forward", "--no-backup-if-mismatch"]
        _call([*command, "-i", str(bug.path)], self.path)

    def make(self, target: str, run: str = "", faults: str = "") -> Path:
        """Build @target, below build/; @run are the monitor's words of run.iso, and @faults is a
        directory of entries beside the catalogue's. Raises BuildError."""
        # What a make around us was told must not count here.
        own = ["BUILD=build", f"FAULTS={faults}", f"RUN={run}", "EMU=qemu"]
        _call(["make", "--no-print-directory", *own, f"build/{target}"], self.path)
        return self.build / target


def line(bug: Bug) -> str:
    """The bug in one line of a list."""
    return f"  {bug.name:<22} {bug.mistake}"
