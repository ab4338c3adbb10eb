"""What `make trace` records: each step of a trap, held against what was measured otherwise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import catalogue
from conftest import BUILD, ROOT, stopped_at_prompt
from explorer import broken, compilers, log, machine, progress, recorder
from explorer.keep import STUBS, Shelf
from explorer.machine import Machine, Raised
from explorer.memory import Memory
from explorer.program import Program
from explorer.recording import Source, make, runs
from explorer.replay import Disagreement
from explorer.unlogged import Unlogged
from manuals import OFFSETS
from museum.bugs import Tree, bugs

PLAIN = "pf-write-readonly"  # ring 0, with an error code
RING_3 = "gp-user-cli"
ON_IST = "df-de-ts"
OPENED = "gp-int13"  # a slot is opened for the error code that did not come
ASYNCHRONOUS = "nmi-unblocked"
NESTED = "bp-in-handler"
TICK, CLOCK = "irq-timer", "spurious-pic-eoi"  # whose interrupts are the timer's, and the RTC's
NAMES = [PLAIN, RING_3, ON_IST, OPENED, ASYNCHRONOUS, NESTED, TICK, CLOCK]

FRAME = ["ss", "rsp", "rflags", "cs", "rip"]
SAVED = "rax rcx rdx rbx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()
SAVERS = {"path-barestub": "trap_entry", "path-gcc": "stub"}
COLUMNS = 80


@pytest.fixture(scope="module")
def shelf(iso: str, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The recordings of a few entries."""
    found = Shelf(BUILD, tmp_path_factory.mktemp("traces"))
    results = found.record(NAMES)
    assert {result.name for result in results} == set(NAMES)
    assert not [result.why for result in results if not result.recording]
    return found


@pytest.fixture(scope="module")
def recordings(shelf: Shelf) -> dict[str, dict]:
    return {name: shelf.load(name) for name in NAMES}


def written(recording: dict, by: str) -> list[str]:
    """The names of the slots that @by writes, in order."""
    slots = [slot for step in recording["steps"] for slot in step.get("write", [])]
    return [name for _address, _value, who, name in slots if who == by]


def state_behind(recording: dict) -> dict[str, str]:
    """The registers after all steps."""
    state = dict(recording["start"]["registers"])
    for step in recording["steps"]:
        state |= step.get("set", {})
    return state


def deliveries(recording: dict) -> list[str]:
    return [step["delivery"] for step in recording["steps"] if "delivery" in step]


def test_each_slot_has_its_writer(recordings: dict[str, dict]) -> None:
    plain = recordings[PLAIN]
    assert written(plain, "CPU") == ["gap", *FRAME, "error code"]
    assert written(plain, "stub") == ["vector"]
    assert written(plain, "trap_entry") == [*SAVED, "return address"]
    assert "rip" in written(plain, "C")  # the handler goes on at .next


def test_a_missing_code_is_shown_where_its_slot_is_opened(recordings: dict[str, dict]) -> None:
    opened = recordings[OPENED]
    assert opened["error"] is None and written(opened, "CPU")[-5:] == FRAME
    assert written(opened, "trap_entry")[:3] == ["vector", "error code", "vector"]


def test_the_stack_is_told(recordings: dict[str, dict]) -> None:
    assert [recordings[name]["stack"] for name in (PLAIN, RING_3, ON_IST)] == [
        "kernel", "RSP0", "IST 1",
    ]  # fmt: skip
    assert "stack switch" not in deliveries(recordings[PLAIN])
    for name in (RING_3, ON_IST):
        assert "stack switch" in deliveries(recordings[name])
    # The double fault: what failed before it is shown as that.
    assert deliveries(recordings[ON_IST]).index("failure") == 2


def test_traps_within_a_trap_are_shown_as_they_come(recordings: dict[str, dict]) -> None:
    assert deliveries(recordings[NESTED]).count("event") == 2
    assert deliveries(recordings[ASYNCHRONOUS]).count("event") == 3


def test_it_ends_behind_the_return(recordings: dict[str, dict]) -> None:
    plain = recordings[PLAIN]
    returned, last = plain["steps"][-2:]
    assert plain["code"][returned["rip"]]["text"] == "iretq"
    assert plain["code"][last["rip"]]["symbol"] == "fault_pf_write_readonly.next"
    before, behind = plain["start"]["registers"], state_behind(plain)
    assert {name for name in before if behind[name] != before[name]} <= {"rip", "rax", "cr2"}


def test_source_and_duty_of_each_instruction(recordings: dict[str, dict]) -> None:
    code = {known["symbol"]: known for known in recordings[PLAIN]["code"].values()}
    for name, text, duty in [
        ("isr_14_PF+0x4", "push 0xe", "error code"),
        ("trap_entry", "push rax", "saving"),
        ("trap_entry.safe", "and rsp, 0xfffffffffffffff0", "alignment"),
        ("trap_entry.safe+0x4", "mov rdi, rbp", "arguments"),
        ("trap_entry.iretq", "iretq", "return"),
    ]:
        assert (code[name]["text"], code[name]["duty"]) == (text, duty)
        line = (ROOT / code[name]["file"]).read_text().splitlines()[code[name]["line"] - 1]
        assert text.split()[0] in line
    assert {known["duty"] for known in code.values()} == {
        "arguments", "saving", "error code", "alignment", "flags", "return", None,
    }  # fmt: skip


def test_the_debugger_sees_the_same(
    recordings: dict[str, dict], iso: str, state: Callable[[str], str], tmp_path: Path
) -> None:
    """Step through stub and entry by QEMU's GDB stub, which reads memory and registers."""
    plain, program = recordings[PLAIN], Program(BUILD / "barestub.elf", ROOT)
    memory: dict[int, tuple[str, str]] = {}
    with stopped_at_prompt(iso, state, "no screen", tmp_path) as (machine, stub):
        machine.type(f"raise {PLAIN}")
        now = stub.run_to(int(plain["start"]["registers"]["rip"], 16))
        rsp = int(plain["start"]["registers"]["rsp"], 16)
        trapped = now
        for step in plain["steps"]:
            rsp = int(step.get("set", {}).get("rsp", f"{rsp:x}"), 16)
            for address, value, _who, name in step.get("write", []):
                memory[int(address, 16)] = (value, name)
            if "delivery" in step:
                continue
            if "call" in plain["code"][step["rip"]]["text"]:
                break
            now = stub.step(now)
            following = step.get("set", {}).get("rip", now["rip"])
            if step is not plain["steps"][0]:
                assert (now["rip"], now["rsp"]) == (int(following, 16), rsp), step
        values = {a: int.from_bytes(stub.read(a, 8), "little") for a in memory}
        hidden = next(step for step in plain["steps"] if "skipped" in step)
        now, count = stub.run_to(program.symbol("fix_up").address), 0
        while now["rip"] != int(hidden["set"]["rip"], 16):
            now, count = stub.step(now), count + 1
        assert hidden["says"] == "fix_up runs" and hidden["skipped"] == count - 1  # all but its first
    names = {name: values[address] for address, (_value, name) in memory.items()}
    assert {name: names[name] for name in SAVED} == {name: trapped[name] for name in SAVED}
    for address, (value, name) in memory.items():
        if name in (*FRAME, "error code", "vector"):
            assert values[address] == int(value, 16), name


@pytest.fixture(scope="module")
def measured(iso: str) -> tuple[Program, Memory, Raised, str]:
    """The raw log of two entries, and what the kernel said of the first."""
    program = Program(BUILD / "barestub.elf", ROOT)
    with Machine(Path(iso), program, [*program.path, *program.programs]) as running:
        tables = running.tables()
        raised = running.raise_fault(PLAIN)
        running.raise_fault(RING_3)
        running.stop()
        return program, tables, raised, running.log()


def remake(measured: tuple[Program, Memory, Raised, str], text: str, said: str) -> dict:
    """The recording that the log @text gives, and the kernel's words @said."""
    program, tables, raised, _ = measured
    where = [*program.path, *program.programs]
    source = Source(program, log.parse(text), tables, "", "", where)
    entry = next(entry for entry in catalogue.found() if entry.name == PLAIN)
    events = runs(source)[program.symbol("fault_pf_write_readonly").address]
    return make(source, entry, Raised(PLAIN, said), events)


def test_what_disagrees_is_refused(measured: tuple[Program, Memory, Raised, str]) -> None:
    program, _, raised, text = measured
    sound = remake(measured, text, raised.text)

    # The dispatcher reads another code than the CPU has pushed.
    load = re.compile(rf"mov (r\w+), qword ptr \[r\w+ \+ {OFFSETS['error_code']:#x}\]")
    loads = ((rip, load.match(known["text"])) for rip, known in sound["code"].items())
    rip, match = next((rip, match) for rip, match in loads if match)
    behind = text.index("\nTrace ", text.index(f"/{rip}/", text.index(": v=0e")))
    place = text.index(f"{match[1].upper():<3}={3:016x}", behind) + 19
    with pytest.raises(Disagreement, match="holds 4, and 3 was the last that was written"):
        remake(measured, text[:place] + "4" + text[place + 1 :], raised.text)

    # The kernel reports another code, another RIP, one trap more.
    for old, new in [("error=0x3 rip", "error=0x2 rip"), (" cs=0x8", " cs=0x10")]:
        assert old in raised.text
        with pytest.raises(Disagreement):
            remake(measured, text, raised.text.replace(old, new))
    trap = re.search(r"^trap: .*\n", raised.text, re.MULTILINE)[0]
    with pytest.raises(Disagreement, match="reports 2 traps, QEMU delivered 1"):
        remake(measured, text, raised.text.replace(trap, trap * 2))

    # The handler of another vector runs.
    stub = program.stubs.start + 16 * 14
    other = text.replace(f"RIP={stub:016x}", f"RIP={stub - 16:016x}")
    with pytest.raises(Disagreement, match="vector 14 went to"):
        remake(measured, other, raised.text)


def test_what_qemu_has_no_line_for_is_found(
    measured: tuple[Program, Memory, Raised, str],
) -> None:
    """QEMU may have one for where a RET leads, or a pointer, or none."""
    program, tables, _, text = measured
    by_memory = re.compile(r"ret$|call (?!0x)|jmp (?!0x)")

    def is_by_memory(address: int) -> bool:
        insn = program.decode(address, program.data(address, 15), {"cs": 8})
        return bool(by_memory.match(f"{insn.mnemonic} {insn.op_str}".strip()))

    source = Source(program, log.parse(text), tables, "", "", [])
    many, few, missing = Unlogged(program), Unlogged(program), 0
    for event, following in pairwise(runs(source)[program.symbol("fault_gp_user_cli").address]):
        if lines := event.hidden(following):
            whole = many.complete(lines[0], lines, following.rip)
            known = whole[:1] + [at for before, at in pairwise(whole) if not is_by_memory(before)]
            assert few.complete(lines[0], known, following.rip) == whole
            missing += len(whole) - len(known)
    assert missing > 256  # a call for each vector


def test_the_text_fits_a_terminal(shelf: Shelf) -> None:
    for name in NAMES:
        lines = shelf.file(name).with_suffix(".txt").read_text().splitlines()
        assert len(lines) > 60 and max(map(len, lines)) <= COLUMNS


def test_what_has_not_changed_is_kept(shelf: Shelf) -> None:
    assert shelf.record(NAMES) == []
    file = shelf.file(PLAIN)
    old = file.read_text()
    file.write_text(old.replace(shelf.load(PLAIN)["key"], "0"))
    assert not shelf.is_good(PLAIN) and shelf.is_good(RING_3)
    file.write_text(old)


def test_an_unknown_name_is_told() -> None:
    command = [sys.executable, str(ROOT / "scripts/trace"), "--fault", "pf-write-readonl", "build"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "mean pf-write-readonly," in " ".join(done.stderr.split())


def test_a_recording_is_the_same_each_time(shelf: Shelf, tmp_path: Path) -> None:
    """Whatever was recorded before it on the same machine."""
    again, names = Shelf(BUILD, tmp_path), [RING_3, ASYNCHRONOUS, TICK, CLOCK]
    again.record(names)
    for name in names:
        assert again.file(name).read_bytes() == shelf.file(name).read_bytes(), name


def test_how_far_it_is_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one line of a terminal; elsewhere now and then."""
    told = progress.Progress(3)
    monkeypatch.setattr(progress, "INTERVAL", 0)
    for name in ("one", "two", "one"):
        told.begin(name)
    due = "barestub: recording {} of 3: {}"
    assert capsys.readouterr().err.splitlines() == [due.format(1, "one"), due.format(2, "two")]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    told.begin("three")
    told.end()
    assert capsys.readouterr().err.split("\r") == ["", due.format(3, "three").ljust(79), " " * 79, ""]
    told.begin("again")
    monkeypatch.setattr(progress, "INTERVAL", 100)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    told.begin("soon")
    assert "soon" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    made = Tree(f"explorer-broken-{os.getpid()}")  # of each worker of pytest-xdist
    yield made
    made.remove()


# Two of them survive no interrupt at all; with the first, all below the code lies a slot too low.
@pytest.mark.parametrize(
    "name, healthy, what_comes, times",
    [
        ("dummy-on-code", PLAIN, "error code 0x0, not 0x3", 1),
        ("iretd", "bp-int3", "the kernel panics: ", 2),
        ("realign-kept", "bp-int3", "the kernel panics: ", 1),
    ],
)
def test_a_broken_kernel_is_recorded_up_to_the_damage_the_same_each_time(
    tree: Tree, name: str, healthy: str, what_comes: str, times: int
) -> None:
    bug = next(bug for bug in bugs() if bug.name == name)
    with broken.kernel(tree, bug):
        first, *others = [broken.record_kernel(tree, bug) for _ in range(times)]
    assert all(other == first for other in others)
    assert (first["group"], first["healthy"]) == ("bug", healthy)
    assert first["note"].startswith(f"What comes of it: {what_comes}")
    assert written(first, "stub")[:2] == ["error code", "vector"]
    # One path of several may be cut off, and tells nothing of what is for what.
    duties = {known["symbol"]: known["duty"] for known in first["code"].values()}
    assert duties["trap_entry"] == "saving"


def test_the_compilers_paths_are_those_of_make_compare(tmp_path: Path) -> None:
    stubs = [str(BUILD / name) for name in STUBS]
    found = {result.name: result.recording for result in compilers.record(tmp_path, stubs)}
    assert found.keys() == {"path-barestub", "path-gcc", "path-clang"}
    for recording in found.values():
        assert recording["group"] == "compiler"
        texts = [recording["code"][s["rip"]]["text"] for s in recording["steps"] if "rip" in s]
        assert texts[1] == "endbr64" and texts[-2] == "iretq"
        before, behind = recording["start"]["registers"], state_behind(recording)
        assert behind == before
    saved = {name: set(SAVED) & set(written(found[name], by)) for name, by in SAVERS.items()}
    assert [len(names) for names in saved.values()] == [15, 9]


def test_a_waiting_program_is_shortened(recordings: dict[str, dict]) -> None:
    """It waits in a loop, which is no code that nobody has seen."""
    hidden = [step for step in recordings[ASYNCHRONOUS]["steps"] if "skipped" in step]
    waits = [step for step in hidden if step["says"].startswith("the program runs")]
    assert waits and all(step["skipped"] > 1000 for step in waits)
    assert not [step for step in hidden if step["says"].startswith("..@")]


def test_a_log_that_is_cut_is_enough_if_the_trap_is_in_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without the entry's own INT nobody could tell which RIP the CPU pushes."""
    monkeypatch.setattr(machine, "LIMIT", 1 << 18)
    [result] = recorder.record(BUILD, [OPENED])
    assert "deprecated" not in capfd.readouterr().err, "what a person reads of QEMU's"
    assert result.recording, result.why
    first = result.recording["steps"][0]["rip"]
    assert result.recording["code"][first]["text"] == "int 0xd"
