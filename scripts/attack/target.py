"""A kernel that hostile programs are run on, in QEMU or in Bochs: a new one whenever a program has
ended it. QEMU tells which blocks of the kernel it has translated, each when it is first reached."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bochs import Bochs
from guest import PROMPT, Guest
from emulator import behind_grub
from emulator.qemu import NO_SCREEN
from qemu import Qemu
from elf import symbols

NUMBER_LIMIT = 10**9  # seeds and programs' numbers are below: kernel/monitor/hostile_command.c
LIMIT = 60  # seconds without a word
LIMIT_ALONE = 10  # of one program

FINDING = re.compile(r"^hostile: finding program=(\d+) (.*)", re.MULTILINE)
TOTAL = re.compile(r"^hostile: programs=(\d+) seed=\d+ first=\d+ findings=\d+", re.MULTILINE)
ENDED_BY = re.compile(r"\b([A-Z]{2,4}) +(\d+)(?=\s)")
BY_TIMER, BY_NMI = "ended by the timer", "ended by an NMI, with interrupts off"
LATE = "#DB that came late, in ring 0"
KIND = re.compile(r"^  (\S.{18}.)(.{9}\d) ((?: [A-Z]{2,5}|\n {33})+)$", re.MULTILINE)
OTHERS = {name: re.compile(rf"{name}: +(\d+)") for name in (BY_TIMER, BY_NMI, LATE)}
CODE = re.compile(r"^code((?:\s+[0-9a-f]{2})+)$", re.MULTILINE)
BLOCK = re.compile(r"^IN: .*\n0x([0-9a-f]+):", re.MULTILINE)
HALTED = "System Halted."
WORD = re.compile(f"^{PROMPT}|^{re.escape(HALTED)}|^hostile: ", re.MULTILINE)


@dataclass
class Kind:
    """Programs that have something in common."""

    programs: int = 0
    ended_by: set[str] = field(default_factory=set)  # the vectors' names


@dataclass
class Answer:
    """What the kernel has said to some programs."""

    text: str
    end: str = ""  # why no prompt came: "panic", "hang", "reset", or the emulator's own end
    findings: dict[int, str] = field(default_factory=dict)  # by the program's number
    new_blocks: set[int] = field(default_factory=set)  # that none has reached before

    @property
    def failure(self) -> str:
        """What is wrong in one word, the same for the same flaw, or ''."""
        return self.end or ("finding" if self.findings else "")

    @property
    def counts(self) -> dict[str, int]:
        """How many programs ended in which way."""
        if not (total := TOTAL.search(self.text)):
            return {}
        table = self.text[: total.start()].rpartition("hostile: ")[2]
        found = {name: int(count) for name, count in ENDED_BY.findall(table)}
        for name, pattern in OTHERS.items():
            found[name] = int(pattern.search(table)[1])
        return found

    @property
    def kinds(self) -> dict[str, Kind]:
        """What the programs had, by its name."""
        return {name.rstrip(): Kind(int(programs), set(ended_by.split()))
                for name, programs, ended_by in KIND.findall(self.text)}  # fmt: skip


class Target:
    """Use it in a `with`: no machine outlives it."""

    def __init__(self, build: Path, emulator: str) -> None:
        self._iso = str(build / "barestub.iso")
        self._directory = tempfile.TemporaryDirectory(prefix="barestub-hostile-")
        self._start = self._bochs if emulator == "bochs" else self._qemu(build / "barestub.elf")
        self._machine: Guest | None = None
        self.machines = 0  # that were needed
        self.blocks: set[int] = set()  # of the kernel that were reached, by their addresses

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()
        self._directory.cleanup()

    def _bochs(self) -> Guest:
        return Bochs(self._iso, witness=False)

    def _qemu(self, elf: Path) -> Callable[[], Guest]:
        """Boot once; return what starts a machine from there, which has translated nothing yet."""
        state = str(Path(self._directory.name) / "state")
        begin = str(behind_grub.state())
        with Qemu(self._iso, state=begin, options=NO_SCREEN) as machine:
            machine.wait_for(PROMPT)
            machine.save_state(state)
        found = symbols.load(elf)
        text = f"{found['text_start'].address:#x}..{found['text_end'].address - 1:#x}"
        options = (*NO_SCREEN, "-d", "in_asm", "-dfilter", text)
        return lambda: Qemu(self._iso, state=state, options=options)

    def _discard(self) -> None:
        if self._machine:
            self._machine.__exit__()
            self._machine = None

    def _at_prompt(self) -> Guest:
        if self._machine is None:
            self._machine = self._start().__enter__()
            if isinstance(self._machine, Bochs):
                self._machine.wait_for(PROMPT)
            self.machines += 1
        return self._machine

    def run(self, count: int, seed: int, first: int, code: str = "") -> Answer:
        """Run @count programs of @seed from number @first on. With @code in hexadecimal that is
        theirs, or behind ~ mutations of it."""
        machine = self._at_prompt()
        start = len(machine.text)
        end, limit = "", LIMIT if count > 1 else LIMIT_ALONE
        machine.type(f"hostile {count} {seed} {first} {code}")
        try:
            machine.wait_for("\n", limit)
            while (said := machine.wait_for(WORD, limit).group()) not in (PROMPT, HALTED):
                pass
            end = "panic" if said == HALTED else ""
        except AssertionError as error:
            end = "hang" if "timeout" in str(error) else self._why()
        text = machine.text[start:]
        total = TOTAL.search(text)
        if not end and (total is None or int(total[1]) != count):
            raise RuntimeError(f"the kernel has not run {count} programs:\n{text}")
        new = self._reached() - self.blocks
        self.blocks |= new
        if end:
            self._discard()
        findings = {int(number): words for number, words in FINDING.findall(text)}
        return Answer(text, end, findings, new)

    def _reached(self) -> set[int]:
        """The blocks that were translated since the last call."""
        if not isinstance(self._machine, Qemu):
            return set()
        blocks = {int(address, 16) for address in BLOCK.findall(self._machine.log())}
        self._machine.forget()
        return blocks

    def reached_by(self, count: int, seed: int, first: int, code: str = "") -> set[int]:
        """Return the blocks that these programs, as in run(), reach on a machine of their own."""
        self._discard()
        known, self.blocks = self.blocks, set()
        answer = self.run(count, seed, first, code)
        self.blocks |= known
        return answer.new_blocks

    def _why(self) -> str:
        """Why the machine has ended."""
        status = self._machine.process.wait(LIMIT)
        if isinstance(self._machine, Qemu) and status < 0:
            return f"the emulator was killed by signal {-status}"
        return "reset"


def code_of(text: str) -> bytes:
    """The code that the kernel has named before it ran one program."""
    match = CODE.search(text)
    return bytes.fromhex(match[1]) if match else b""
