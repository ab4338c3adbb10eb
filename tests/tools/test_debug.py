"""scripts/debug and the GDB commands of scripts/gdb/, on the machine that `make debug` starts."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, Once
from person import script, terminal
from processes import children
from qemu import TIMEOUT

DEBUG = [sys.executable, str(ROOT / "scripts" / "debug")]
Debug = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def debug(elf: str, iso: str) -> Debug:
    """debug(COMMANDS, OPTIONS...) pipes COMMANDS into a session."""

    def run(commands: str = "", *options: str) -> subprocess.CompletedProcess[str]:
        return script([*DEBUG, *options, elf, iso], commands)

    return run


def own_lines(text: str) -> list[str]:
    """The lines that are not the kernel's."""
    return [line for line in text.splitlines() if not line.startswith("| ")]


WALKED = [
    "align-user",
    "bp-in-handler",
    "bp-int3",
    "db-step",
    "de-user-div-zero",
    "df-stack-overflow",
    "gp-int13",
    "inject-pf",
    "irq-state-user",
    "pf-execute-nx",
    "pf-write-readonly",
]


@pytest.fixture(scope="session")
def walks(debug: Debug, once: Once) -> str:
    """What one session says that walks them all."""

    def walk(path: Path) -> None:
        path.write_text(debug("".join(f"walk {name}\n" for name in WALKED)).stdout)

    return once("walks.txt", walk).read_text()


@pytest.mark.parametrize("name", WALKED)
def test_walk_goes_all_the_way_in_80_columns(walks: str, name: str) -> None:
    found = re.search(rf"^\(gdb\) ({name}, ring (?s:.*?))^\(gdb\) ", walks, re.MULTILINE)
    assert found, walks
    text = found[1]
    assert not [line for line in own_lines(text) if len(line) > 79]
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == list("123456")
    assert re.search(r"1\. .*\n\nfault_\S+ \(\) at tests/faults/\S+:\d+\n", text)
    assert "WRONG" not in text
    assert re.search(r"[4-6]\d instructions, \d+ a second", text)
    if name not in ("bp-in-handler", "df-stack-overflow"):
        assert "registers are as before the trap" in text


def test_walk_needs_nobody_at_the_keyboard(debug: Debug) -> None:
    done = debug("", "--walk", "pf-write-readonly")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d instructions, \d+ a second\.\n$", done.stdout)


def test_a_fault_stops_at_its_instruction_and_stepi_enters_the_stub(debug: Debug) -> None:
    text = debug("stepi\nbt 2\n", "--fault", "pf-write-readonly").stdout
    assert "fault_pf_write_readonly.here () at tests/faults/pf-write-readonly.asm:" in text
    assert re.search(r"\d\t\.here: +mov +byte \[rax\], 1\n", text)
    assert re.search(r"\(gdb\) isr_14_PF \(\) at asm/stubs.asm:\d+\n\d+\t +endbr64", text)
    assert re.search(r"#0  isr_14_PF \(\) at asm/stubs.asm:\d+\n#1  fault_pf_write_readonly", text)
    assert "<signal handler called>" not in text


@pytest.mark.parametrize("name, stub", [("bp-int3", "isr_3_BP"), ("db-step", "isr_1_DB")])
def test_debug_traps_of_the_guest_reach_the_guest(debug: Debug, name: str, stub: str) -> None:
    # Twice, for QEMU's step may execute nothing: scripts/gdb/execution.py. No other stub is met.
    text = debug("stepi\nstepi\n", "--fault", name).stdout
    assert set(re.findall(r"\(gdb\) (isr_\w+) \(\) at asm/stubs.asm:", text)) == {stub}, text


def test_a_breakpoint_in_a_stub_is_shown_once(debug: Debug) -> None:
    text = debug("break isr_14_PF\ncontinue\n", "--fault", "pf-write-readonly").stdout
    assert re.search(r"^Breakpoint 1, isr_14_PF \(\) at asm/stubs.asm:\d+$", text, re.MULTILINE)
    assert text.count("Breakpoint 1, ") == 1


def test_without_a_fault_it_stops_in_kmain(debug: Debug) -> None:
    done = debug("frame-picture\ntraps\nstep-stub 300\nstep-stub bp-int\nstep-stub\nwalk pf\n")
    text, told = done.stdout, " ".join(done.stderr.split())
    assert re.search(r"^kmain \(\) at kernel/kmain.c:\d+$", text, re.MULTILINE)
    assert "No trap is in progress here." in text
    assert "No trap has been taken yet." in text
    assert "takes a vector, 0 to 255 or by name such as PF, or a fault such as bp-int3" in told
    assert "not 300." in told and "not nothing." in told
    assert "not bp-int. Did you mean bp-int3, " in told
    assert 'There is no fault "pf". Did you mean pf-' in told
    assert not [line for line in done.stderr.splitlines() if len(line) > 80]


# An `int 13` from ring 0: the stub of #GP, without a code. Steps, and the slots below rip then.
GROWTH = [
    (0, []),
    (2, [("vector", "stub")]),
    (4, [("vector", "stub")]),
    (6, [("vector", "stub"), ("vector", "fixup")]),
    (7, [("error", "fixup"), ("vector", "fixup")]),
    (8, [("error", "fixup"), ("vector", "fixup")]),
    (9, [("error", "fixup"), ("vector", "fixup"), ("rax", "entry")]),
]


def test_the_picture_grows_with_the_stack(debug: Debug) -> None:
    commands, at = "stepi\n", 0
    for steps, _ in GROWTH:
        commands += f"stepi {steps - at}\n" if steps > at else ""
        commands += "frame-picture\n"
        at = steps
    text = debug(commands, "--fault", "gp-int13").stdout
    pictures = text.split("#GP General Protection Fault, in ring 0")[1:]
    assert len(pictures) == len(GROWTH)
    for picture, (_, below) in zip(pictures, GROWTH):
        slots = re.findall(r"^  (\w{16}) \| \w{16} \| (\w+) +(\w+)", picture, re.MULTILINE)
        assert [slot[1:] for slot in slots] == [
            *((name, "CPU") for name in ("ss", "rsp", "rflags", "cs", "rip")),
            *below,
        ]
        assert re.search(r"<- RSP (\w+), mod", picture)[1] == slots[-1][0]


def test_step_stub_shows_each_step_to_the_return(debug: Debug) -> None:
    text = debug("step-stub gp-int13\n" * 60).stdout
    assert "push 0xd: + vector #GP\n" in text
    assert "mov qword [rsp+0x8],0x0: error = 0x0\n" in text
    assert "push r15: + r15 0x" in text
    assert "pop rax: - rax\n" in text
    assert re.search(r"The trap has returned:\nfault_gp_int13.next \(\)", text)


def test_step_stub_waits_for_a_vector(debug: Debug) -> None:
    text = debug("step-stub TIMER\n").stdout
    assert "isr_64_TIMER () at asm/stubs.asm:" in text


def test_traps_regs_and_idt(debug: Debug) -> None:
    commands = "stepi\nbreak record_take\ncontinue\ntraps 1\nregs-of-trap\nidt 14\nidt\n"
    commands += "up\nprint *regs\n"
    text = debug(commands, "--fault", "pf-write-readonly").stdout
    assert re.search(r"^ +1 +14 #PF +0x3 +fault_pf_write_readonly.here +\w{16} \*$", text, re.M)
    assert re.search(r"^  rip +\w{16}  fault_pf_write_readonly.here$", text, re.MULTILINE)
    assert re.search(r"^  rax 0000000000602000", text, re.MULTILINE)
    assert "Gate 14 (0x0e), #PF Page Fault: " in text
    assert re.search(r"^ +8 #DF +isr_8_DF +interrupt gate, IST 1, DPL 0$", text, re.M)
    assert "lead to their own stubs" in text and "NOT ITS OWN" not in text
    assert "error_code = 0x3 (write to a protected page in ring 0 [P W])" in text
    assert "cs = 0x8 (GDT entry 1, ring 0)" in text


def test_the_last_traps_are_kept_in_order(debug: Debug) -> None:
    """INT 0 to INT 39 have been, and that of 40 is at its stub: the newest comes first. None of
    them has an error code."""
    text = debug("break isr_40\ncontinue\ntraps\n", "--fault", "int-all").stdout
    kept = re.findall(r"^ +(\d+) +(\d+) \S* +- +fault_int_all", text, re.MULTILINE)
    assert kept == [(str(ago), str(40 - ago)) for ago in range(1, 33)], text


def test_tell_types_at_the_prompt(debug: Debug) -> None:
    done = debug("tell raise ud-ud2\nraise bp-int3\ntell poweroff\n")
    assert "| result: name=ud-ud2 pass" in done.stdout
    assert "fault_bp_int3 () at tests/faults/bp-int3.asm:" in done.stdout
    assert "The machine has ended." in done.stdout + done.stderr


def test_each_cpu_is_a_thread(debug: Debug) -> None:
    """A fault on the second: its thread is the one that stops, and the commands are about it. The
    prompt is the first one's, whichever is selected."""
    commands = "tell cpus", "raise gp-user-cli on 1", "thread", "stepi", "frame-picture", "bt"
    again = "traps 1", "info threads", "thread 1", "traps 1", "thread 2", "tell cpus"
    text = debug("\n".join((*commands, *again)), "--cpus", "2").stdout
    assert "Current thread is 2 " in text
    assert "RSP when it came; the CPU took the kernel stack" in text
    callers = re.findall(r"^(?:\(gdb\) )?#\d+ +(?:0x\w+ in )?(\w+) \(", text, re.MULTILINE)
    assert callers[:2] == ["isr_13_GP", "fault_gp_user_cli"], callers
    assert callers[callers.index("call_take") :][1:3] == ["ap_main", "ap_higher_half"], callers
    second, first = re.findall(r"^ +1 +(\d+ \w+) ", text, re.MULTILINE)
    assert second == "240 CALL" and first != second
    assert re.search(r"CPU#0 .*\n(?s:.*)\* 2 .*CPU#1 ", text)
    assert len(re.findall(r"\| CPU 1: x2?APIC ID 1", text)) == 2


def test_every_command_has_help(debug: Debug) -> None:
    names = "barestub frame-picture idt raise regs-of-trap step-stub tell traps walk".split()
    text = debug("".join(f"help {name}\n" for name in names)).stdout.replace("(gdb) ", "")
    assert "not documented" not in text and "Undefined" not in text
    assert not [line for line in own_lines(text) if len(line) > 79]


def test_a_recording_goes_back_across_the_pushes_of_the_cpu(elf: str, tmp_path: Path) -> None:
    make = ["make", "--no-print-directory", f"BUILD={Path(elf).parent}"]
    image = Path(elf).parent / "run.iso"
    words = "RUN=raise pf-write-readonly; poweroff"
    subprocess.run([*make, words, str(image)], cwd=ROOT, check=True, capture_output=True)
    commands = "print/x $rsp\nstepi\nprint/x $rsp\nreverse-stepi\nprint/x $rsp\ninfo symbol $pc\n"
    command = [*DEBUG, "--record", "--fault", "pf-write-readonly", elf, str(image)]
    done = subprocess.run(
        command, input=commands, capture_output=True, text=True, timeout=TIMEOUT, cwd=ROOT
    )
    before, in_stub, back = (int(rsp, 0) for rsp in re.findall(r"\$\d = (0x\w+)", done.stdout))
    assert before == back and in_stub < before, done.stdout + done.stderr
    assert "| result: name=pf-write-readonly pass" in done.stdout
    assert "fault_pf_write_readonly" in done.stdout.rpartition("= 0x")[2]


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_person_interrupts_steps_uses_the_tui_and_quits(elf: str, iso: str) -> None:
    with terminal([*DEBUG, elf, iso]) as person:
        person.wait_for(r"kmain \(\) at [^\n]*\n(?s:.*)\(gdb\) ")
        started = children(person.process.pid)
        assert len(started) == 2
        person.type("continue\n")
        person.wait_for("The kernel waits at its prompt")
        time.sleep(0.5)  # a person is slower than GDB
        person.type("\x03")
        person.wait_for(r"SIGINT(?s:.*)\(gdb\) ")
        assert person.process.poll() is None
        person.type("raise df-stack-o\t\n")
        person.wait_for(r"\.here: (?s:.*)\(gdb\) ")
        person.type("layout asm\n")
        person.wait_for("remote Thread")
        person.type("stepi\n")
        person.wait_for("isr_8_DF")
        person.type("quit\n")
        assert person.process.wait(TIMEOUT) == 0
        assert person.is_terminal_sane()
        assert not any(map(is_running, started))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(elf: str, iso: str, number: signal.Signals) -> None:
    with terminal([*DEBUG, elf, iso]) as person:
        person.wait_for(r"kmain \(\) at [^\n]*\n(?s:.*)\(gdb\) ")
        started = children(person.process.pid)
        person.process.send_signal(number)
        person.process.wait(TIMEOUT)
        assert not any(map(is_running, started))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Editor:
    """An editor as VS Code is one, which drives GDB over its machine interface."""

    def __init__(self) -> None:
        self.gdb = subprocess.Popen(
            ["gdb", "-q", "-nx", "--interpreter=mi"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str, answer: str = r"\^(done|connected)") -> str:
        """Send @command; return the line that matches @answer."""
        self.gdb.stdin.write(command + "\n")
        self.gdb.stdin.flush()
        while line := self.gdb.stdout.readline():
            assert not line.startswith("^error"), line
            if re.match(answer, line):
                return line
        raise AssertionError(f"GDB has ended on {command}")

    def close(self) -> None:
        self.gdb.kill()
        self.gdb.communicate()


def test_the_launch_configuration_for_an_editor(elf: str, iso: str) -> None:
    text = (ROOT / ".vscode" / "launch.json").read_text()
    launch = json.loads(re.sub(r"^ *//.*", "", text, flags=re.MULTILINE))["configurations"][0]
    tasks = json.loads((ROOT / ".vscode" / "tasks.json").read_text())["tasks"]
    assert launch["preLaunchTask"] in [task["label"] for task in tasks]
    port = free_port()
    build = str(Path(elf).parent)
    server = subprocess.Popen(
        [*DEBUG, "--serve", str(port), elf, iso], stderr=subprocess.PIPE, text=True
    )
    editor = Editor()
    try:
        assert "waiting for a debugger" in server.stderr.readline()
        for setup in launch["setupCommands"]:
            command = setup["text"].replace("${workspaceFolder}/build", build)
            editor.ask(command.replace("${workspaceFolder}", str(ROOT)))
        editor.ask(f"-file-exec-and-symbols {elf}")
        editor.ask(f"-target-select remote localhost:{port}")
        assert 'func="kmain"' in editor.ask("-exec-continue", r"\*stopped")
        editor.ask("-break-insert isr_64_TIMER")
        editor.ask("-exec-continue", r"\*stopped")
        frames = editor.ask("-stack-list-frames 0 0")
        assert f'func="isr_64_TIMER",file="{ROOT}/asm/stubs.asm"' in frames
    finally:
        editor.close()
        server.terminate()
        server.wait()
        server.stderr.close()
