"""scripts/run: what `make run` does for a script and for a person at a terminal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import BUILD, ROOT, Once
from guest import PROMPT, TIMEOUT
from museum.bugs import Tree
from person import Person, script, terminal

SCRIPT = str(ROOT / "scripts" / "run")
RUN = [sys.executable, SCRIPT, "--display", "none"]

# scripts/run with less patience than it has of its own: a guest that spins takes a CPU of the host.
STALL_LIMIT = 1
IMPATIENT = [
    sys.executable,
    "-c",
    "import runpy, sys\n"
    f"sys.argv[0] = {SCRIPT!r}\n"
    f"sys.path.insert(0, {os.path.dirname(SCRIPT)!r})\n"
    "run = runpy.run_path(sys.argv[0])\n"
    f"run['main'].__globals__['STALL_LIMIT'] = {STALL_LIMIT}\n"
    "sys.exit(run['main']())",
    "--display",
    "none",
]

LONGEST_LINE = 4095  # characters, that the monitor takes

HANGS = """%include "fault.inc"
fault   3, "zz-spin", "ring 3 spins with IF clear"
.here:  jmp     .here
fault   0, "zz-stop", "ring 0 halts with IF clear"
.here:  cli
        hlt
        jmp     .here
"""


@pytest.fixture(scope="session")
def hanging_iso(once: Once) -> str:
    """A kernel whose catalogue has entries that hang, not far behind its first."""

    def make(path: Path) -> None:
        tree = Tree("hangs")
        (tree.path / "tests" / "faults" / "ae-hang.asm").write_text(HANGS)
        shutil.copy(tree.make("barestub.iso"), path)
        tree.remove()

    return str(once("hanging.iso", make))


def image(directory: Path, **files: str) -> str:
    """Return an ISO with this kernel and with @files for GRUB, by name."""
    grub = directory / "iso" / "boot" / "grub"
    grub.mkdir(parents=True)
    shutil.copy(BUILD / "loaded.elf", grub.parent / "barestub.elf")
    shutil.copy(ROOT / "grub.cfg", grub)
    for name, text in files.items():
        (grub / f"{name}.cfg").write_text(text)
    path = str(directory / "test.iso")
    command = ["grub-mkrescue", "-o", path, str(directory / "iso")]
    subprocess.run(command, check=True, capture_output=True)
    return path


def run(iso: str, lines: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Pipe @lines into scripts/run."""
    return script([*RUN, *options, iso], lines)


def processes_of_session(session: int) -> list[str]:
    """Return the command lines of what still runs in @session."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) == session:
                with open(f"/proc/{pid}/cmdline") as file:
                    found.append(file.read())
        except OSError:
            continue  # it has just ended
    return [line for line in found if line]


def end(person: Person) -> int:
    """Wait for the end of the command; return its status. Nothing must be left of it."""
    status = person.process.wait(TIMEOUT)
    assert person.is_terminal_sane()
    assert processes_of_session(person.process.pid) == []
    return status


def test_a_script_that_checks_and_switches_off_succeeds(iso: str) -> None:
    done = run(iso, "check\npoweroff\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^1\.\.\d+", done.stdout, re.MULTILINE)


def test_a_script_runs_to_its_end(iso: str) -> None:
    """Behind a reboot and a reset that is due as well. Its last line ends with no newline."""
    lines = [
        "gate 4" + ";" * (LONGEST_LINE - 12) + "gate 3",
        "raise gp-cr4-reserved",
        "reboot",
        "raise triple-fault",
        "raise bp-int3",
        "raise triple-fault",
    ]
    done = run(iso, "\n".join(lines))
    assert done.stderr == "barestub: reset, as expected.\n"
    assert done.returncode == 0
    assert "Gate 4 " in done.stdout and "Gate 3 " in done.stdout
    assert "verdict   not run: unsafe: TCG hangs" in done.stdout
    assert "Run this under Bochs: `make run EMU=bochs`" in done.stdout
    assert done.stdout.count("Rebooting.") == 1
    assert "result: name=bp-int3 pass" in done.stdout


@pytest.mark.parametrize("behind", ["", "gate\nreboot\npoweroff\n", "raise triple-fault\n"])
def test_a_failed_command_fails_the_run(iso: str, behind: str) -> None:
    """Also where the machine is reset behind it: the kernel then has forgotten the failure."""
    done = run(iso, "raise no-such-fault\n" + behind)
    assert done.returncode == 1
    first = "2 commands have failed, the first: " if "gate" in behind else ""
    assert done.stderr == f"barestub: this failed:\n  {first}raise no-such-fault\n"


def test_output_that_nobody_reads_ends_it(iso: str) -> None:
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*RUN, iso], text=True, **ends) as process:
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write("check\n")
        process.stdin.flush()
        assert process.wait(TIMEOUT) == 0
        assert process.stderr.read() == "barestub: stopped.\n"


def test_a_command_line_holds_what_grub_can_carry(tmp_path: Path) -> None:
    words = "gate 4" + ";" * 8140 + "gate 3"
    done = run(image(tmp_path, run=f"set run='{words}'\n"), "")
    assert done.returncode == 0, done.stderr
    assert "Gate 4 " in done.stdout and "Gate 3 " in done.stdout


def test_a_command_line_that_does_not_fit_is_refused_whole(tmp_path: Path) -> None:
    part = "gate 4" + ";" * 8000
    configuration = "set run=''\n" + f"set run=\"$run\"'{part}'\n" * 3
    done = run(image(tmp_path, run=configuration), "")
    assert done.returncode == 1
    assert "command line is longer than the 16383 characters that fit" in done.stdout
    assert "Gate 4 " not in done.stdout


def test_a_line_that_does_not_fit_is_refused_whole(iso: str) -> None:
    done = run(iso, "gate 4" + ";" * (LONGEST_LINE + 1 - 12) + "gate 5\ngate 3\n")
    assert done.returncode == 1
    assert f"This line is longer than the {LONGEST_LINE} characters that fit." in done.stdout
    assert "Gate 4 " not in done.stdout and "Gate 5 " not in done.stdout
    assert "Gate 3 " in done.stdout  # the next one is run


def test_a_panic_fails_the_run_and_is_named(iso: str) -> None:
    done = run(iso, "panic\n")
    assert done.returncode == 1
    assert "KERNEL PANIC: Invalid Opcode" in done.stderr
    assert "System Halted." in done.stdout


@pytest.mark.parametrize(
    "emulator, line, name",
    [
        ("qemu", "raise zz-stop", "zz-stop"),
        ("qemu", "check", "zz-spin"),
        ("bochs", "raise zz-stop", "zz-stop"),
        ("qemu", "panic zz-stop", "zz-stop"),
    ],
)
def test_a_script_that_hangs_is_ended_and_its_culprit_named(
    hanging_iso: str, emulator: str, line: str, name: str
) -> None:
    done = script([*IMPATIENT, "--emu", emulator, hanging_iso], f"{line}\npoweroff\n")
    assert done.returncode == 1
    assert f"{name} has made no progress for {STALL_LIMIT} s" in done.stderr


def test_a_script_that_takes_its_time_is_not_ended(iso: str) -> None:
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*IMPATIENT, iso], text=True, **ends) as process:
        process.stdin.write("gate 3\n")
        process.stdin.flush()
        while "attributes" not in process.stdout.readline():
            pass
        time.sleep(STALL_LIMIT + 2)
        assert process.communicate("gate 4\n", TIMEOUT)[1] == ""
        assert process.returncode == 0


def test_a_person_is_not_hurried(hanging_iso: str) -> None:
    with terminal([*IMPATIENT, hanging_iso]) as person:
        person.wait_for(PROMPT)
        person.type("raise zz-stop\r")
        person.wait_for("zz-stop, ring 0")
        time.sleep(STALL_LIMIT + 2)
        assert person.process.poll() is None
        person.type("\x03")
        assert end(person) == 0


def test_a_reset_that_nobody_asked_for_fails_the_run(tmp_path) -> None:
    done = run(image(tmp_path, grub="reboot\n"), "")
    assert done.returncode == 1
    assert "triple fault" in done.stderr


def test_an_image_that_is_not_there_is_told(tmp_path) -> None:
    done = run(str(tmp_path / "none.iso"), "")
    assert done.returncode == 1
    assert "none.iso" in done.stderr and "Traceback" not in done.stderr


def test_another_cpu(iso: str) -> None:
    done = run(iso, "raise pf-smap-read\n", "--cpu", "qemu64")
    assert done.returncode == 0, done.stderr
    assert "verdict   not run: this CPU has no SMAP\n" in done.stdout
    assert "Run this under QEMU TCG: `make run`" in done.stdout


@pytest.mark.parametrize(
    "emulator, wrong, told",
    [
        ("qemu", "qemu46", '"qemu46". Did you mean qemu64'),
        ("qemu", "nonsense", '"nonsense". `qemu-system-x86_64 -cpu help` lists them.\n'),
        ("bochs", "rizen", '"rizen". Did you mean ryzen'),
        ("bochs", "nonsense", '"nonsense". `bochs --help cpu` lists them.\n'),
    ],
)
def test_an_unknown_cpu_is_told(iso: str, emulator: str, wrong: str, told: str) -> None:
    done = run(iso, "", "--emu", emulator, "--cpu", wrong)
    assert done.returncode == 1
    assert told in done.stderr
    assert not [line for line in done.stderr.splitlines() if len(line) > 80]


def test_no_panic_by_what_cannot_be_run(iso: str) -> None:
    done = run(iso, "panic gp-cr4-reserved\npanic cp-ret\npoweroff\n")
    assert done.returncode == 1
    assert "2 commands have failed" in done.stderr
    assert "Not here: unsafe: TCG hangs.\n" in done.stdout
    assert "Not here: this CPU has no CET_SS.\n" in done.stdout
    assert done.stdout.count("Run this under Bochs: `make run EMU=bochs`") == 2
    assert "KERNEL PANIC" not in done.stdout


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
def test_ctrl_c_ends_it_and_leaves_the_terminal_sane(iso: str, emulator: str) -> None:
    with terminal([*RUN, "--emu", emulator, iso]) as person:
        person.wait_for(PROMPT)
        assert not person.is_terminal_sane()
        person.type("\x03")
        assert end(person) == 0


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
def test_poweroff_ends_it_and_leaves_the_terminal_sane(iso: str, emulator: str) -> None:
    with terminal([*RUN, "--emu", emulator, iso]) as person:
        person.wait_for(PROMPT)
        person.type("hel\t\r")
        person.wait_for(r"poweroff[^\n]*\n(?s:.*)" + PROMPT)
        person.type("poweroff\r")
        assert end(person) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(iso: str, number: signal.Signals) -> None:
    with terminal([*RUN, iso]) as person:
        person.wait_for(PROMPT)
        person.process.send_signal(number)
        end(person)


def test_a_terminal_that_is_closed_leaves_nothing_behind(iso: str) -> None:
    """The hangup's signal reaches the shell alone: make does not pass it on, either."""
    shell = ["sh", "-c", 'trap "" HUP; "$@"; exit 0', "sh"]
    with terminal([*shell, *RUN, iso]) as person:
        person.wait_for(PROMPT)
        os.dup2(person.slave, person.master)  # which closes the person's end
        person.process.wait(TIMEOUT)
        assert processes_of_session(person.process.pid) == []
