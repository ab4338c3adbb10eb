"""What must find a mistake in the interrupt path, the fastest first. Each check looks at a copy of
the tree and returns what it has found wrong, in words; nothing, if it is content."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from museum.bugs import ROOT, Catch, Tree
from emulator.playback import play

FUZZ_SEED, FUZZ_COUNT = 1, 100_000
TIMEOUT = 60  # seconds: of a tool that must not hang
CHECK_ALL_TIMEOUT = 30
STOP_TIMEOUT = 3  # of a guest that is known to hang, if it does not end: it boots in one

HAS_SILICON = platform.machine() == "x86_64"

# Pytest's summary, the monitor's answer to `raise`, and KTAP.
FAILED = re.compile(r"^(?:FAILED|ERROR) \S+::(.*)$", re.MULTILINE)
RESULT = re.compile(r"^result: name=\S+ fail (.*)$", re.MULTILINE)
EXPLAINED = re.compile(r"^(E +.*)$", re.MULTILINE)
EXPLAINED_LIMIT = 8
PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)
POINT = re.compile(r"^(?:not )?ok \d+ ", re.MULTILINE)
FAILURE = re.compile(r"^not ok \d+ (\S+)\n# (.*)$", re.MULTILINE)


def _pytest(build: Path, *arguments: str) -> str:
    """Run tests on another build than ours."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment = own | {"BUILD": str(build), "COLUMNS": "200"}
    tests = ROOT / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-vv", "--tb=short", "-c", "pytest.ini"]
    command += arguments
    done = subprocess.run(command, cwd=tests, env=environment, capture_output=True, text=True)
    explained = EXPLAINED.findall(done.stdout)[:EXPLAINED_LIMIT]
    return "\n".join(FAILED.findall(done.stdout) + explained)


def static(tree: Tree, _catch: Catch | None = None) -> str:
    """The tests that read the ELF file."""
    return _pytest(tree.make("barestub.elf").parent, "path/test_stubs.py")


def fuzz(tree: Tree, _catch: Catch | None = None) -> str:
    """Random interrupts through the stubs on this machine's own CPU."""
    program = tree.make("silicon/fuzz")
    command = [str(program), str(FUZZ_SEED), str(FUZZ_COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout if done.returncode else ""


def check(tree: Tree, catch: Catch) -> str:
    """One entry of the catalogue, in QEMU."""
    iso = tree.make("run.iso", run=f"raise {catch.subject}; poweroff")
    played = play(iso, STOP_TIMEOUT if "stopped" in catch.symptom else TIMEOUT)
    if match := RESULT.search(played.text):
        return match[1]
    return "" if f"result: name={catch.subject} pass" in played.text else played.ending


def check_all(tree: Tree) -> str:
    """The whole catalogue, in QEMU."""
    iso = tree.make("run.iso", run="check; poweroff")
    # Not exactly: the single step of a REP instruction is wrong then, in QEMU 7.2.
    played = play(iso, CHECK_ALL_TIMEOUT, exact=False)
    plan = PLAN.search(played.text)
    came = len(POINT.findall(played.text))
    if plan is None or came < int(plan[1]):
        return f"{played.ending}, behind {came} entries"
    return "\n".join(f"{name}: {reason}" for name, reason in FAILURE.findall(played.text))


def unwind(tree: Tree) -> str:
    """GDB's unwinder, at every instruction of a few traps."""
    iso = tree.make("barestub.iso")
    return _pytest(iso.parent, "path/test_unwind.py", "-k", "gp-int13 or state-user or unusual")


CHECKS: dict[str, Callable[[Tree, Catch], str]] = {
    "static": static,
    "fuzz": fuzz,
    "check": check,
}


def is_named(catch: Catch, found: str) -> bool:
    """Whether @catch says what its check has @found. A static test goes by its name."""
    if catch.check == "static":
        found = "\n".join(line for line in found.splitlines() if line.startswith(catch.subject))
    return bool(found and re.search(catch.symptom, found))
