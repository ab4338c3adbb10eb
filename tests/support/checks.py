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

import own_entries
from emulator import behind_grub
from emulator.playback import HANGS, Played, play
from museum.bugs import ROOT, Catch, Tree

FUZZ_SEED, FUZZ_COUNT = 1, 100_000
TIMEOUT = 60  # seconds: of a tool that must not hang
CATALOGUE_TIMEOUT, CATALOGUE_SILENCE = 90, 5
STOP_TIMEOUT = 1.5  # of a guest that is known to hang, if it does not end: it starts in 0.2

HAS_SILICON = platform.machine() == "x86_64"

# Pytest's summary, and the monitor's answer to `raise`.
FAILED = re.compile(r"^(?:FAILED|ERROR) \S+::(.*)$", re.MULTILINE)
FAILED_TEST = re.compile(r"^(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", re.MULTILINE)
RESULT = re.compile(r"^result: name=\S+ fail (.*)$", re.MULTILINE)
EXPLAINED = re.compile(r"^(E +.*)$", re.MULTILINE)
EXPLAINED_LIMIT = 8
PYTEST_PASSED = 0  # its exit status; others: a test fails, or none has run

# What the classes that drive the emulators say of a guest that is late.
LATE = re.compile(r"\btimeout: |did not end|no breakpoint was reached|Timeout(?:Error|Expired)")

# Where the kernel's code lies depends on its size.
CODE_ADDRESS = re.compile(r"ffffffff8[0-9a-f]+|(?<=: 00000000ffffffff )[0-9a-f]{16}")

# One trap of each kind that `raise` tells something else of.
REPORTED = "raise pf-write-readonly; raise df-stack-overflow; raise db-step; frame; gate 14"
SOUND_WORDS = "sound-words.txt"

# The fastest first.
MACHINES = [
    "kernel/test_tables.py",
    "kernel/test_taken_traps.py",
    "kernel/test_stacks.py",
    "kernel/test_record.py",
    "kernel/test_judge.py",
    "kernel/test_smp.py::test_each_cpu_has_its_own_tables_and_stacks",
    "kernel/test_smp.py::test_an_nmi_from_outside_comes_to_the_first_alone",
    "kernel/test_apic_calls.py",
    "kernel/test_apic_modes.py",
    "kernel/test_apic.py",
    "path/test_error_codes.py",
    "tools/test_debug.py::test_the_last_traps_are_kept_in_order",
    "tools/test_debug.py::test_traps_regs_and_idt",
    "kernel/test_interrupts.py",
    "kernel/test_monitor.py::test_vectors_has_the_manuals_classes",
    "kernel/test_panic.py",
    "kernel/test_last_word.py",
    "machines/test_cpus.py",
    "kernel/test_firmware.py",
    "machines/test_faults.py::test_fatal_fault",
]
# Which has CET; and a CPU without it, to which its registers are #GP.
SECOND_MODEL = ["machines/test_bochs.py", "-k", "cp- or inject-ve"]

# Those that look at one source more than at all others.
NEAREST = {
    "kernel/trap/trap.c": [
        "kernel/test_taken_traps.py",
        "kernel/test_tables.py",
        "kernel/test_last_word.py::test_no_fixup_from_behind_the_table",
    ],
    "kernel/trap/idt.c": ["kernel/test_tables.py"],
    "kernel/trap/gdt.c": ["kernel/test_tables.py"],
    "kernel/trap/stacks.c": ["kernel/test_stacks.py"],
    "kernel/trap/tables.c": ["kernel/test_tables.py"],
    "kernel/trap/ring.c": ["kernel/test_tables.py"],
    "kernel/trap/vectors.c": [
        "kernel/test_tables.py",
        "kernel/test_monitor.py::test_vectors_has_the_manuals_classes",
    ],
    "kernel/cpu/cpu.c": [
        "machines/test_cpus.py::test_the_control_registers",
        "machines/test_cpus.py::test_each_feature_has_its_name",
        "kernel/test_firmware.py::test_the_loaders_cr0_is_not_kept",
        "kernel/test_firmware.py::test_the_loaders_floating_point_state_is_not_kept",
        "machines/test_cpus.py",
    ],
    "kernel/report/record.c": ["kernel/test_record.py"],
    "kernel/faults/judge.c": ["kernel/test_judge.py"],
    "kernel/faults/interruptions.c": ["kernel/test_taken_traps.py"],
    "kernel/faults/program_lines.c": ["machines/test_faults.py::test_fatal_fault"],
    "kernel/devices/apic.c": ["kernel/test_apic_calls.py", "kernel/test_apic_modes.py"],
    "kernel/devices/lapic.c": ["kernel/test_apic_modes.py", "kernel/test_apic_calls.py"],
}


class TimedOut(Exception):
    """Something was late: the guest hangs, or this machine is busy."""

    def __init__(self, found: str, again: Callable[[Tree], bool]) -> None:
        """@again(tree) tells whether it is late again, or wrong, on the kernel of @tree."""
        super().__init__(found)
        self.again = again


def _run_pytest(build: Path, *arguments: str) -> str:
    """Run tests on another build than ours. Return what pytest says, or nothing if all pass."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment = own | {"BUILD": str(build), "COLUMNS": "200"}
    environment["STATE_BUILD"] = str(behind_grub.BUILD)
    tests = ROOT / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-vv", "--tb=short", "-c", "pytest.ini"]
    command += arguments
    done = subprocess.run(command, cwd=tests, env=environment, capture_output=True, text=True)
    if done.returncode == PYTEST_PASSED:
        return ""
    assert FAILED_TEST.search(done.stdout), done.stdout + done.stderr
    return done.stdout


def _summary(said: str) -> str:
    return "\n".join(FAILED.findall(said) + EXPLAINED.findall(said)[:EXPLAINED_LIMIT])


def _of_a_machine(tree: Tree, *arguments: str) -> str:
    """What the first of some tests finds that fails in a tree's machine. Raises TimedOut."""

    def run(tree: Tree, *arguments: str) -> str:
        return _run_pytest(tree.make("barestub.iso").parent, "-x", *arguments)

    said = run(tree, *arguments)
    if LATE.search(said):
        test = FAILED_TEST.search(said)[1]
        raise TimedOut(_summary(said), lambda tree: bool(run(tree, test)))
    return _summary(said)


def static(tree: Tree, catch: Catch | None = None) -> str:
    """The tests that read the ELF file, or the one that @catch names."""
    test = f"::{catch.subject}" if catch else ""
    return _summary(_run_pytest(tree.make("barestub.elf").parent, f"path/test_stubs.py{test}"))


def fuzz(tree: Tree, _catch: Catch | None = None) -> str:
    """Random interrupts through the stubs on this machine's own CPU."""
    program = tree.make("silicon/fuzz")
    command = [str(program), str(FUZZ_SEED), str(FUZZ_COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout if done.returncode else ""


def check(tree: Tree, catch: Catch) -> str:
    """One entry of the catalogue, in QEMU."""
    iso = tree.make("run.bare.iso", run=f"raise {catch.subject}; poweroff")
    played = play(iso, STOP_TIMEOUT if catch.symptom.endswith("stopped") else TIMEOUT)
    if match := RESULT.search(played.text):
        return match[1]
    return "" if f"result: name={catch.subject} pass" in played.text else played.ending


def _words(text: str) -> list[str]:
    """The whole lines of @text, without what differs between two builds."""
    return CODE_ADDRESS.sub("...", text).split("\n")[:-1]


def _play_catalogue(tree: Tree, sound: list[str]) -> Played:
    """Raise all entries, up to the first line that is not one of @sound, if there are any."""
    read = count = 0  # characters and lines of what was right

    def is_enough(text: str) -> bool:
        nonlocal read, count
        words = _words(text[read:])
        if sound and words != sound[count : count + len(words)]:
            return True
        read, count = text.rindex("\n") + 1, count + len(words)
        return False

    words = f"{own_entries.RUN}; {REPORTED}; check; poweroff"
    iso = tree.make("run.bare.iso", run=words, faults=own_entries.DIRECTORY)
    # Not exactly: the single step of a REP instruction is wrong then, in QEMU 7.2.
    return play(
        iso, CATALOGUE_TIMEOUT, exact=False, silence=CATALOGUE_SILENCE, is_enough=is_enough
    )


def keep_sound_words(tree: Tree) -> None:
    """Put own_entries.py into @tree, which must be sound, and keep what it says of all entries."""
    own_entries.add(tree)
    played = _play_catalogue(tree, [])
    assert played.ending == "powered off after a failure", played
    (tree.build / SOUND_WORDS).write_text(played.text)


def catalogue(tree: Tree) -> str:
    """All that the kernel says of the catalogue, in QEMU: the sound kernel's words, which
    test_faults.py and test_catalogue.py judge. Raises TimedOut."""
    sound = _words((tree.build / SOUND_WORDS).read_text())

    def find(tree: Tree) -> Played:
        return _play_catalogue(tree, sound)

    played = find(tree)
    for word, right in zip(_words(played.text), sound):
        if word != right:
            return f"{word!r}, not {right!r}"
    if played.ending == HANGS:
        raise TimedOut(played.ending, lambda tree: find(tree).ending == HANGS)
    return "" if len(_words(played.text)) == len(sound) else played.ending


def unwind(tree: Tree) -> str:
    """GDB's unwinder, at every instruction of a few traps. Raises TimedOut."""
    return _of_a_machine(tree, "path/test_unwind.py", "-k", "gp-int13 or state-user or unusual")


def machines(tree: Tree, source: str) -> str:
    """Machines in other states than the catalogue's, and witnesses from outside; first those that
    look at @source. Raises TimedOut."""
    nearest = NEAREST.get(source, [])
    others = [test for test in MACHINES if test not in nearest]
    for tests in (nearest, SECOND_MODEL, others):
        if tests and (found := _of_a_machine(tree, *tests)):
            return found
    return ""


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
