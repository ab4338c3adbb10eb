"""What must find a mistake in the interrupt path, the fastest first. Each check looks at a copy of
the tree and returns what it has found wrong, in words; nothing, if it is content."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable

import ktap
from museum import ROOT, Tree
from playback import play

STATIC_TESTS = ("test_stubs.py", "test_entry.py")
FUZZ_SEED, FUZZ_COUNT = 1, 100_000
TIMEOUT = 60  # seconds: of a tool that must not hang
CHECK_TIMEOUT = 60  # of a guest that raises all of the catalogue

HAS_SILICON = platform.machine() == "x86_64"

FAILED = re.compile(r"^(?:FAILED|ERROR) \S+::(.*)$", re.MULTILINE)
RESULT = re.compile(r"^result: name=\S+ fail (.*)$", re.MULTILINE)
OK = re.compile(r"^(?:not )?ok ", re.MULTILINE)


def static(tree: Tree, _subject: str = "") -> str:
    """The tests that read the ELF file."""
    elf = tree.make("barestub.elf")
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "tests" / "pytest.ini")]
    command += ["--tb=line", *(str(ROOT / "tests" / name) for name in STATIC_TESTS)]
    done = subprocess.run(
        command, env=own | {"BUILD": str(elf.parent)}, capture_output=True, text=True
    )
    return "\n".join(FAILED.findall(done.stdout))


def fuzz(tree: Tree, _subject: str = "") -> str:
    """Random interrupts through the stubs on this machine's own CPU."""
    program = tree.make("silicon/fuzz")
    command = [str(program), str(FUZZ_SEED), str(FUZZ_COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout if done.returncode else ""


def check(tree: Tree, entry: str) -> str:
    """The entry of the catalogue called @entry, in QEMU."""
    played = play(tree.make("run.iso", run=f"raise {entry}; poweroff"))
    if match := RESULT.search(played.text):
        return match[1]
    return "" if f"result: name={entry} pass" in played.text else played.ending


def check_all(tree: Tree, _subject: str = "") -> str:
    """The whole catalogue, in QEMU."""
    played = play(tree.make("run.iso", run="check; poweroff"), CHECK_TIMEOUT)
    try:
        results = ktap.parse(played.text)
    except ValueError:
        return f"{played.ending} behind {len(OK.findall(played.text))} entries"
    return "\n".join(result.name for result in results if result.failed)


CHECKS: dict[str, Callable[[Tree, str], str]] = {
    "static": static,
    "fuzz": fuzz,
    "check": check,
}
