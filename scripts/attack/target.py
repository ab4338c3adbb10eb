"""A kernel that hostile programs are run on, in QEMU or in Bochs, booted anew whenever one has ended
it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bochs import Bochs
from guest import PROMPT, Guest
from qemu import Qemu

LIMIT = 60  # seconds without a word

FINDING = re.compile(r"^hostile: finding program=(\d+) (.*)", re.MULTILINE)
TOTAL = re.compile(r"^hostile: programs=(\d+) seed=\d+ first=\d+ findings=\d+", re.MULTILINE)
ENDED_BY = re.compile(r"\b([A-Z]{2,4}) +(\d+)(?=\s)")
OTHERS = {
    "kept the CPU": r"kept the CPU: (\d+)",
    "kept it with interrupts off": r"interrupts off: (\d+)",
    "#DB behind MOV SS": r"behind MOV SS: (\d+)",
}
CODE = re.compile(r"^code +((?: [0-9a-f]{2})+)$", re.MULTILINE)
HALTED = "System Halted."


@dataclass
class Answer:
    """What the kernel has said to some programs."""

    text: str
    end: str = ""  # why no prompt came: "panic", "hang", "reset", or the emulator's own end
    findings: dict[int, str] = field(default_factory=dict)  # by the program's number

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
            found[name] = int(re.search(pattern, table)[1])
        return found


class Target:
    """Use it in a `with`: no machine outlives it."""

    def __init__(self, iso: str, emulator: str) -> None:
        self._iso, self._emulator = iso, emulator
        self._machine: Guest | None = None
        self.boots = 0

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()

    def _discard(self) -> None:
        if self._machine:
            self._machine.__exit__()
            self._machine = None

    def _at_prompt(self) -> Guest:
        if self._machine is None:
            is_bochs = self._emulator == "bochs"
            self._machine = Bochs(self._iso) if is_bochs else Qemu(self._iso, options=("-vga", "none"))
            self._machine.__enter__()
            self._machine.wait_for(PROMPT)
            self.boots += 1
        return self._machine

    def run(self, count: int, seed: int, first: int, code: bytes = b"") -> Answer:
        """Run @count programs of @seed from number @first on, with @code in place of their own."""
        machine = self._at_prompt()
        start = len(machine.text)
        end = ""
        machine.type(f"hostile {count} {seed} {first} {code.hex()}")
        try:
            machine.wait_for("\n", LIMIT)
            said = machine.wait_for(re.compile(f"^{PROMPT}|^{re.escape(HALTED)}", re.M), LIMIT)
            end = "panic" if said.group() == HALTED else ""
        except AssertionError as error:
            end = "hang" if "timeout" in str(error) else self._why()
        text = machine.text[start:]
        if end:
            self._discard()
        findings = {int(number): words for number, words in FINDING.findall(text)}
        return Answer(text, end, findings)

    def _why(self) -> str:
        """Why the machine has ended."""
        status = self._machine.process.wait(LIMIT)
        if self._emulator == "qemu" and status < 0:
            return f"the emulator was killed by signal {-status}"
        return "reset"


def code_of(text: str) -> bytes:
    """The code that the kernel has named before it ran one program."""
    match = CODE.search(text)
    return bytes.fromhex(match[1]) if match else b""
