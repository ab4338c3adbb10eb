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
from museum import ROOT, Catch, Tree
from playback import play

STATIC_TESTS = ROOT / "tests" / "test_stubs.py"
FUZZ_SEED, FUZZ_COUNT = 1, 100_000
TIMEOUT = 60  # seconds: of a tool that must not hang
HANG_TIMEOUT = 3  # of a guest that is known to hang: it boots in one

HAS_SILICON = platform.machine() == "x86_64"

FAILED = re.compile(r"^(?:FAILED|ERROR) \S+::(.*)$", re.MULTILINE)
RESULT = re.compile(r"^result: name=\S+ fail (.*)$", re.MULTILINE)
OK = re.compile(r"^(?:not )?ok ", re.MULTILINE)


def static(tree: Tree, _catch: Catch | None = None) -> str:
    """The tests that read the ELF file."""
    elf = tree.make("barestub.elf")
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "tests" / "pytest.ini")]
    command += ["--tb=line", str(STATIC_TESTS)]
    done = subprocess.run(
        command, env=own | {"BUILD": str(elf.parent), "COLUMNS": "200"}, capture_output=True, text=True
    )
    return "\n".join(FAILED.findall(done.stdout))


def fuzz(tree: Tree, _catch: Catch | None = None) -> str:
    """Random interrupts through the stubs on this machine's own CPU."""
    program = tree.make("silicon/fuzz")
    command = [str(program), str(FUZZ_SEED), str(FUZZ_COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout if done.returncode else ""


def check(tree: Tree, catch: Catch) -> str:
    """One entry of the catalogue, in QEMU."""
    iso = tree.make("run.iso", run=f"raise {catch.subject}; poweroff")
    played = play(iso, HANG_TIMEOUT if "hangs" in catch.symptom else TIMEOUT)
    if match := RESULT.search(played.text):
        return match[1]
    return "" if f"result: name={catch.subject} pass" in played.text else played.ending


def check_all(tree: Tree) -> str:
    """The whole catalogue, in QEMU."""
    played = play(tree.make("run.iso", run="check; poweroff"), TIMEOUT)
    try:
        results = ktap.parse(played.text)
    except ValueError:
        return f"{played.ending} behind {len(OK.findall(played.text))} entries"
    return "\n".join(result.name for result in results if result.failed)


CHECKS: dict[str, Callable[[Tree, Catch], str]] = {
    "static": static,
    "fuzz": fuzz,
    "check": check,
}


def names(catch: Catch, found: str) -> bool:
    """Whether what a check has @found is what @catch says: a static test goes by its name."""
    if catch.check == "static":
        found = "\n".join(line for line in found.splitlines() if line.startswith(catch.subject))
    return bool(found and re.search(catch.symptom, found))
