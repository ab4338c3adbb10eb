"""QEMU's log of instructions and deliveries (`-d int,in_asm,cpu,exec`), taken apart.

With one instruction in a translation block QEMU writes all registers before each instruction, and
again before each delivery. It writes the bytes of an instruction when it translates it. Of one that
is not logged the trace event exec_tb leaves a line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import intlog
from intlog import Record

# What a block of the log begins with: an instruction that comes next, one that came next and was
# not executed after all, a delivery, and what belongs to a delivery.
BLOCK = re.compile(
    r"^(?:(?P<executed>Trace )|(?P<stopped>Stopped execution)|(?P<delivery> *\d+: v=)"
    r"|(?P<remark>Servicing|check_exception|SMM|Triple fault)|(?P<code>-{16}$))",
    re.MULTILINE,
)
BYTES = re.compile(r"^(?:0x([0-9a-f]+): +|OBJD-T: )((?:[0-9a-f]{2} ?)+)", re.MULTILINE)
REGISTER = re.compile(r"\b([A-Z][A-Z0-9]{1,2}) ?=([0-9a-f]+)")

# What `in_asm` has in front of a delivery that VMRUN makes.
INJECTION = re.compile(r"^Injecting\(.*?(?= *\d+: v=)", re.MULTILINE)
PC = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")
EACH = re.compile(r"^exec_tb tb:\S+ pc=0x([0-9a-f]+)$", re.MULTILINE)
IDT = re.compile(r"^IDT= *([0-9a-f]+) ([0-9a-f]+)", re.MULTILINE)

GENERAL = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
NAMES = {name.upper(): name for name in GENERAL} | {
    "RIP": "rip",
    "RFL": "rflags",
    **{name.upper(): name for name in ("cs", "ss", "ds", "es", "fs", "gs")},
    **{name.upper(): name for name in ("cr2", "cr3", "dr6")},
}
NARROW = {f"E{name[1:]}".upper(): name for name in (*GENERAL[:8], "rip")} | {"EFL": "rflags"}
LOW_HALF = (1 << 32) - 1

Registers = dict[str, int]


@dataclass(eq=False)
class Event:
    """What comes next. The registers before it are read when somebody asks for them: of most nobody
    does."""

    rip: int
    dump: str
    before: Event | None  # the event in front of it
    behind: list[str] = field(default_factory=list, kw_only=True)  # blocks, up to the next event

    @functools.cached_property
    def registers(self) -> Registers:
        """Of 32-bit code QEMU shows the low halves only: the high ones, and R8 to R15, are those of
        the event before it."""
        values = dict(REGISTER.findall(self.dump))
        if "RAX" in values:
            return {name: int(values[key], 16) for key, name in NAMES.items()}
        found = dict(self.before.registers) if self.before else {}
        found |= {name: int(values[key], 16) for key, name in NAMES.items() if key in values}
        for key, name in NARROW.items():
            found[name] = found.get(name, 0) & ~LOW_HALF | int(values[key], 16)
        return found

    def hidden(self, following: Event) -> list[int]:
        """The addresses of the instructions that are not logged before @following, as far as QEMU has
        lines for them. One that repeats itself is one, and one that faults is none."""
        texts = (self.dump, *self.behind)
        each = [int(address, 16) for text in texts for address in EACH.findall(text)]
        ran = [address for address, _again in groupby(each)]
        # QEMU 7.2 writes the line of a logged instruction in front of its registers.
        first, last = self.rip in ran[:1], following.rip in ran[-1:]
        return ran[first : len(ran) - last]


@dataclass(eq=False)
class Executed(Event):
    """An instruction that comes next."""


@dataclass(eq=False)
class Delivered(Event):
    """A delivery that comes next."""

    record: Record
    idt: int  # where the IDT lies
    idt_limit: int


@dataclass
class Log:
    """What a machine has done, and the bytes of the instructions that it has executed."""

    events: list[Event] = field(default_factory=list)
    code: dict[int, bytes] = field(default_factory=dict)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind of each block and its text."""
    starts = list(BLOCK.finditer(text))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    for start, end in zip(starts, ends):
        yield start.lastgroup, text[start.start() : end]


def parse(text: str) -> Log:
    """Take @text apart."""
    log = Log()
    blocks = list(_blocks(INJECTION.sub("", text)))
    witness = "".join(block for kind, block in blocks if kind in ("delivery", "remark"))
    records = iter(intlog.parse(witness))
    last: Event | None = None
    for kind, block in blocks:
        if kind == "executed":
            line, _, dump = block.partition("\n")
            if "IP=" not in dump:
                continue  # the log ends here, or was cut
            last = Executed(int(PC.search(line)[1], 16), dump, last)
            log.events.append(last)
        elif kind == "delivery":
            record = next(records)
            idt = (int(number, 16) for number in IDT.search(block).groups())
            last = Delivered(record.rip, block.partition("\n")[2], last, record, *idt)
            log.events.append(last)
        elif kind == "stopped" and isinstance(last, Executed):
            log.events.pop()
            last = last.before
        elif kind == "code":
            lines = BYTES.findall(block)  # a long instruction has two
            if lines and lines[0][0]:
                data = "".join(part for _address, part in lines)
                log.code[int(lines[0][0], 16)] = bytes.fromhex(data)
        if kind in ("code", "remark") and last:
            last.behind.append(block)
    return log
