"""The monitor's commands: what they say, against what QEMU knows of the same machine."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import saved_rflags
from catalogue import entries, found
from conftest import ROOT
from guest import NEXT_PROMPT, PROMPT
from intlog import Record
from emulator.qemu import POWER_OFF, POWER_OFF_AFTER_FAILURE
from person import terminal
from qemu import Qemu
from elf.symbols import Symbol

GENERAL_REGISTERS = "rax rcx rdx rbx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()

# A line of the picture: the address of a slot, its content, and whose it is.
SLOT = re.compile(r"^  ([0-9a-f]{16}) \| ([0-9a-f]{16}) \| (\w+(?: code)?) *(.*)$", re.MULTILINE)

RUN = [sys.executable, str(ROOT / "scripts" / "run"), "--display", "none"]

GATE_SIZE = 16
CALL_FROM_RING_3 = 128
KEY_UP, KEY_LEFT, BACKSPACE = b"\x1b[A", b"\x1b[D", b"\x7f"


@dataclass
class Trap:
    """A fault of the catalogue, and how the path fills the error code's slot."""

    entry: str
    vector: int
    code: str
    ring: int = 0
    instruction: int = 0  # its length, where the saved RIP is behind it

    def __str__(self) -> str:
        return self.entry


TRAPS = [
    Trap("pf-write-readonly", 14, "the CPU"),
    Trap("bp-int-3", 3, "the stub: a dummy", instruction=2),
    Trap("gp-int13", 13, ".open_slot: no code came", instruction=2),
    Trap("de-user-div-zero", 0, "the stub: a dummy", ring=3),
    Trap("gp-user-cli", 13, "the CPU", ring=3),
]


def witness(machine: Qemu, vector: int) -> Record:
    """Return QEMU's record of the last trap of @vector."""
    return [record for record in machine.interrupts() if record.vector == vector][-1]


@pytest.mark.parametrize("trap", TRAPS, ids=str)
def test_frame_draws_what_the_cpu_and_the_path_pushed(
    machine: Qemu, trap: Trap, symbols: dict[str, Symbol]
) -> None:
    machine.ask(f"raise {trap.entry}")
    picture = machine.ask("frame")
    record = witness(machine, trap.vector)
    slots = SLOT.findall(picture)
    names = [name for _, _, name, _ in slots]
    assert names == ["ss", "rsp", "rflags", "cs", "rip", "error code", "vector", *GENERAL_REGISTERS]

    # They hang from an aligned top, without a gap.
    addresses = [int(address, 16) for address, _, _, _ in slots]
    top = addresses[0] + 8
    assert top == record.rsp & ~15 if trap.ring == 0 else top % 16 == 0
    assert addresses == list(range(top - 8, top - 8 - 8 * len(slots), -8))

    value = {name: int(number, 16) for _, number, name, _ in slots}
    assert (value["ss"], value["rsp"]) == (record.ss, record.rsp)
    assert (value["cs"], value["rip"]) == (record.cs, record.rip + trap.instruction)
    before = record.registers["RFL"]
    assert not saved_rflags.differences(value["rflags"], before, trap.vector, record.software)
    assert value["vector"] & 0xFFFFFFFF == trap.vector
    assert value["error code"] == (record.error if trap.code == "the CPU" else 0)
    for name in GENERAL_REGISTERS:
        assert value[name] == record.registers[name.upper()], name

    owner = {name: text for _, _, name, text in slots}
    assert owner["error code"] == trap.code
    assert f"in ring {trap.ring}\n" in picture
    pushed_by_cpu = 6 if trap.code == "the CPU" else 5
    stub = next(name for name in symbols if name.startswith(f"isr_{trap.vector}_"))
    assert f"RSP at {stub}, mod 16 = {8 * (pushed_by_cpu % 2)}\n" in picture


def test_frame_of_one_of_several_traps(machine: Qemu) -> None:
    machine.ask("raise irq-before-ud")
    first, second = machine.ask("frame 1"), machine.ask("frame 2")
    assert first.startswith("Vector 96 in ring 0\n")
    assert second.startswith("#UD Invalid Opcode in ring 0\n")
    assert machine.ask("frame") == second
    assert "No trap number 3 of the last fault" in machine.ask("frame 3")


def test_regs_tells_the_same(machine: Qemu) -> None:
    machine.ask("raise pf-user-supervisor")
    text = machine.ask("regs")
    record = witness(machine, 14)
    assert f"RIP     {record.rip:#018x} fault_pf_user_supervisor.here\n" in text
    assert f"RSP     {record.rsp:#018x} " in text
    assert "Error   0x5: read of a protected page in ring 3 [P U]\n" in text
    for name in GENERAL_REGISTERS:
        assert f"{name.upper():3}={record.registers[name.upper()]:016x}" in text


@pytest.mark.parametrize("vector", [0, 3, 8, 14, 18, 32, 128, 255])
def test_gate_decodes_what_is_in_memory(
    machine: Qemu, vector: int, symbols: dict[str, Symbol]
) -> None:
    text = machine.ask(f"gate {vector}")
    table = int(re.search(r"IDT= *([0-9a-f]{16})", machine.hmp("info registers"))[1], 16)
    low, high = struct.unpack("<2Q", machine.virtual(table + GATE_SIZE * vector, GATE_SIZE))
    assert f"{high:016x} {low:016x}" in text
    offset = low & 0xFFFF | low >> 32 & 0xFFFF0000 | high << 32
    stub = next(name for name in symbols if re.fullmatch(rf"isr_{vector}(_\w+)?", name))
    assert offset == symbols[stub].address
    assert f"  offset     {offset:#018x} {stub}\n" in text
    assert f"  selector   {low >> 16 & 0xFFFF:#06x} " in text
    assert re.search(rf"^  IST        {low >> 32 & 7} ", text, re.MULTILINE)
    assert f"DPL {low >> 45 & 3}, 64-bit interrupt gate" in text


def test_vectors_has_the_manuals_classes(machine: Qemu) -> None:
    """In columns. SDM vol. 3, table 6-1; APM vol. 2, 8.1."""
    head, *rows = machine.ask("vectors").splitlines()
    classes = {1: "Fault/Trap", 2: "Interrupt", 3: "Trap", 4: "Trap", 8: "Abort", 18: "Abort"}
    classes |= {CALL_FROM_RING_3: "Trap"}
    start, end = head.index("class"), head.index("code")
    found = {int(row[:6]): row[start:end].strip() for row in rows if row}
    assert found.keys() >= {*range(15), *range(16, 22), 28, 29, 30}
    others = {vector: "Fault" if vector < 32 else "Interrupt" for vector in found}
    assert found == others | classes


def test_bt_goes_back_to_the_start(machine: Qemu) -> None:
    names = re.findall(r"^  #\d+ +0x[0-9a-f]{16} (\w+)\+0x", machine.ask("bt"), re.MULTILINE)
    assert names[-3:] == ["monitor", "kmain", "higher_half"]


def test_tour_raises_a_dozen_and_judges(machine: Qemu) -> None:
    text = machine.ask("tour")
    names = re.findall(r"^([a-z0-9-]+), ring [03]: ", text, re.MULTILINE)
    assert len(names) == 12 and set(names) <= set(entries())
    assert "| error code  the CPU\n" in text and "| error code  the stub: a dummy\n" in text
    assert "verdict" not in text and "There is no fault" not in text
    assert machine.poweroff() == POWER_OFF


def test_tour_waits_for_a_person(machine: Qemu) -> None:
    machine.send(b"tour\r")
    begin = 0
    for stop in range(1, 12):
        match = machine.wait_for(f"-- {stop} of 12: any key, q ends it --")
        assert machine.text[begin : match.start()].rpartition(PROMPT)[2].count("\n") < 24
        begin = match.end()
        machine.send(b" ")
    machine.wait_for(NEXT_PROMPT)
    machine.send(b"tour\r")
    machine.wait_for("-- 1 of 12")
    machine.send(b"q")
    machine.wait_for("\x1b[K" + PROMPT)
    assert "-- 2 of 12" not in machine.text[begin:]


@pytest.mark.parametrize(
    "line, answer",
    [
        ("fram", 'There is no command "fram". Did you mean frame?'),
        ("raise pf-nul", 'There is no fault "pf-nul". Did you mean pf-null-read?'),
        ("raise", "Which fault?"),
        ("list no-such-word", 'No fault fits "no-such-word".'),
        ("gate 256", 'takes a vector from 0 to 255, got "256"'),
        ("gate 1x", 'takes a vector from 0 to 255, got "1x"'),
        ("gate 0x?", 'takes a vector from 0 to 255, got "0x?"'),
        ("gate 0x", 'takes a vector from 0 to 255, got "0x"'),
        ("gate 0x1@", 'takes a vector from 0 to 255, got "0x1@"'),
        ("vectors 3", 'takes no argument, got "3"'),
        ("panic nothing-like-it", 'There is no fault "nothing-like-it".'),
    ],
)
def test_what_cannot_be_is_told_and_counts_as_failed(
    machine: Qemu, line: str, answer: str
) -> None:
    assert answer in machine.ask(line)
    assert machine.poweroff() == POWER_OFF_AFTER_FAILURE


# What is wanted is said where an argument is missing, is too much, or is another thing.
WRONG_ARGUMENTS = {
    "gate": "`gate` takes a vector from 0 to 255: which?",
    "gate 3 4": '`gate` takes a vector from 0 to 255, got "3 4".',
    "raise bp-int3 on": "`on` takes the number of a CPU: which?",
    "check on": "`on` takes the number of a CPU: which?",
    "raise bp-int3 on 7": 'There is no CPU "7". `cpus` lists those that run, 1 in all.',
    "raise bp-int3 ud-ud2": 'wanted, perhaps with `on N`, not "bp-int3 ud-ud2".',
    "frame x": '`frame` takes the number of a trap, from 1, got "x".',
    "check x": '`check` takes nothing but `on N`, got "x".',
    "storm 99999999999": "seed, below 4294967295: `storm 10`",
    "hostile 1000000000": "all below 1000000000: `hostile 1000`",
    "raise pf-user": "Did you mean pf-user-",
    f"raise {'not-present' * 9}": "`list` shows what there is.",
    "panic pf-user-fetch": "mean pf-user-fetch-not-present, pf-user-fetch-supervisor, ",
}


def test_a_wrong_argument_is_told_within_80_columns(machine: Qemu) -> None:
    for line, answer in WRONG_ARGUMENTS.items():
        text = machine.ask(line)
        assert answer in " ".join(text.split()), line
        assert all(len(row) <= 80 or " " not in row for row in text.splitlines()), text
    machine.send(b"poweroff\n")
    machine.wait_for(f"{len(WRONG_ARGUMENTS)} commands have failed, the first: gate\n")


def test_frame_before_any_fault_says_what_to_do(machine: Qemu) -> None:
    assert "Try `raise bp-int3`" in machine.ask("frame")


def test_an_interrupt_is_told_of_although_no_trap_is_kept(machine: Qemu) -> None:
    answer = machine.ask("raise irq-timer")
    assert "\n  came      TIMER LAPIC Timer, to its own handler\n" in answer
    assert machine.ask("frame").startswith("No trap is kept")


def test_several_commands_on_a_line(machine: Qemu) -> None:
    both = machine.ask("bt; gate 3")
    assert "  #0  " in both and "Gate 3 (0x03), #BP Breakpoint" in both


def test_the_line_can_be_edited_completed_and_recalled(machine: Qemu) -> None:
    machine.send(b"gat\t134" + KEY_LEFT + BACKSPACE + b"1\r")
    machine.wait_for("Gate 114 (0x72), Vector 114: ")
    machine.wait_for(NEXT_PROMPT)
    machine.send(KEY_UP + BACKSPACE + b"\r")
    machine.wait_for("Gate 11 (0x0b), #NP Segment Not Present: ")


def shown(text: str) -> tuple[str, int]:
    """Return what a row of 80 columns shows behind @text, and the cursor's column."""
    row, column = "", 0
    for part in re.findall(r"\x1b\[\d*[A-Z]|[^\x1b]", text):
        if part == "\r":
            column = 0
        elif part.endswith("D") and part[0] == "\x1b":
            column -= int(part[2:-1])
        elif part == "\x1b[K":
            row = row[:column]
        else:
            row = row[:column] + part + row[column + 1 :]
            column += 1
        assert 0 <= column < 80, "it wraps"
    return row, column


def test_a_long_line_scrolls_within_80_columns(iso: str) -> None:
    words = "".join(f"gate {n:3};" for n in range(100, 200))
    with terminal([*RUN, iso]) as person:
        person.wait_for(PROMPT)
        person.type(words)
        row, column = shown(PROMPT + person.wait_for(r"19\x1b\[K9;$"))
        assert row.startswith(PROMPT + "<") and row.endswith("gate 198;gate 199;")
        assert column == len(row)

        person.type("\x01")
        row, column = shown(PROMPT + person.wait_for(r">\x1b\[K\x1b\[\d+D$"))
        assert row == PROMPT + words[:68] + ">" and column == len(PROMPT)

        person.type("\x06" * 200)
        row, column = shown(person.wait_for(r"(?:[^K]*\x1b\[K){200}\x1b\[\d+D$"))
        assert row[len(PROMPT)] == "<" and row[-1] == ">"
        assert words[200:].startswith(row[column:-1])

        person.type("\x15gate 3\r")
        person.wait_for("Gate 3 ")


def listed(text: str) -> list[str]:
    """Return the names in what `list` has said."""
    return re.findall(r"^[ *] (\S+) +ring [03]  ", text, re.MULTILINE)


def test_no_summary_leans_on_a_neighbour() -> None:
    """For a filter may leave that out."""
    leaning = re.compile(r"^(the same|its|it|they|both|also|again)\b", re.IGNORECASE)
    assert not [entry.summary for entry in found() if leaning.match(entry.summary)]


def test_list_counts_the_groups(machine: Qemu) -> None:
    text = machine.ask("list")
    groups = [name.partition("-")[0] for name in entries()]
    assert text.startswith(f"{len(groups)} faults")
    told = {name: int(count) for name, count in re.findall(r"(\w+) +(\d+)(?=\s)", text)}
    assert told == {group: groups.count(group) for group in groups}
    assert len(text.splitlines()) < 23


@pytest.mark.parametrize(
    "words, fits",
    [
        ("all", lambda name, _: True),
        ("pf", lambda name, _: "pf" in name.split("-")),
        ("pf ring3", lambda name, line: "pf" in name.split("-") and " ring 3 " in line),
        ("ring0", lambda name, line: " ring 0 " in line),
        ("*", lambda name, line: line.startswith("*")),
        ("pf-write", lambda name, _: "pf-write" in name),
        ("al", lambda name, _: re.search(r"\bal", name)),
    ],
)
def test_list_takes_words(machine: Qemu, words: str, fits: Callable[[str, str], bool]) -> None:
    everything = {listed(line)[0]: line for line in machine.ask("list all").splitlines()[:-1]}
    assert list(everything) and sorted(everything) == sorted(entries())
    due = [name for name, line in everything.items() if fits(name, line)]
    assert due and listed(machine.ask(f"list {words}")) == due


def test_a_long_answer_stops_at_a_screenful_for_a_person_alone(machine: Qemu) -> None:
    machine.send(b"list all\r")
    first = machine.wait_for("-- more: any key, q ends it --")
    assert machine.text[: first.start()].rpartition(PROMPT)[2].count("\n") == 23
    machine.send(b" ")
    second = machine.wait_for("-- more: any key, q ends it --")
    assert machine.text[first.end() : second.start()].count("\n") == 23
    machine.send(b"q")
    machine.wait_for("\x1b[K" + PROMPT)
    assert len(listed(machine.text)) < 50
    assert "-- more" not in machine.ask("list all")

    machine.send(b"list all\rgate 3\r")  # who has typed ahead waits for nothing
    machine.wait_for("Gate 3 ")


@pytest.mark.parametrize(
    "line", ["help", "list", "list all", "list *", "vectors", "tour", "bt", "gate 8", "frame"]
)
def test_answers_fit_80_columns_of_ascii(machine: Qemu, line: str) -> None:
    machine.ask("raise gp-user-cli")
    text = machine.ask(line)
    assert text.isascii()
    assert not [wide for wide in text.splitlines() if len(wide) > 80]
