"""What a run has not looked at: instructions and branches of the linted path that never ran, and
functions that return by IRETQ as well, but that no linted vector leads to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from capstone import x86

from lint.architecture import ENTRIES
from lint.engine.disasm import Decoder, Instruction, Kind
from lint.engine.flow import Flow
from lint.engine.returning import Returning
from lint.engine.trace import Entry, Trace
from lint.load.given import flag
from lint.load.image import Image
from lint.load.pushes import pushed_vector

FRAME = 40  # bytes that IRETQ takes

# Before a conditional jump, the flags are set not further away than this.
FLAGS_REACH = 6


@dataclass
class Branch:
    """A conditional jump that went one way only."""

    address: int
    text: str
    taken: bool  # the way that it always went
    after: str  # the instruction that sets its flags, if known


@dataclass
class Unrun:
    """Instructions in a row that never ran."""

    address: int
    count: int
    behind: Branch | None  # the branch that would lead there
    stopped_at: int | None = None  # or the instruction at which every run ended


@dataclass
class Function:
    """A function from which an IRETQ is reached."""

    name: str
    flag: str  # that would have it linted
    why: str = ""  # it is not like a stub's return
    reason: str | None = None  # why it is left out, if it is allowed
    by: str = "IRETQ"


@dataclass
class Coverage:
    """What was linted, and what was not."""

    vectors: list[int]
    ran: int = 0  # instructions of the linted path
    branches: int = 0
    unrun: list[Unrun] = field(default_factory=list)
    one_way: list[Branch] = field(default_factory=list)
    unlinted: list[Function] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)  # the entries beside the IDT
    own_frames: dict[str, int] = field(default_factory=dict)  # who pushes what IRETQ takes: where
    unknown: list[str] = field(default_factory=list)  # what nobody said, and the flag to say it
    assumed: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)  # variables of files that were not given
    beyond: int = 0  # instructions of unlinted functions

    @property
    def complete(self) -> bool:
        """Whether nothing is left over."""
        return not (self.unrun or self.one_way or self.unlinted_functions or self.unknown)

    @property
    def unlinted_functions(self) -> list[Function]:
        """The functions that were not linted without anybody's consent."""
        return [function for function in self.unlinted if function.reason is None]

    @property
    def total(self) -> int:
        """The instructions of all interrupt paths."""
        return self.ran + sum(piece.count for piece in self.unrun) + self.beyond


@dataclass
class Others:
    """What is known of functions that were not linted."""

    guesses: dict[int, int] = field(default_factory=dict)  # their vectors by address


class Record:
    """What has run, over all runs."""

    def __init__(self) -> None:
        self.steps: set[tuple[int, int]] = set()
        self.ran: set[int] = set()
        self.ends: set[int] = set()

    def add(self, trace: Trace) -> None:
        """Note the way of @trace."""
        self.steps.update(zip(trace.path, trace.path[1:]))
        self.ran.update(trace.path)
        if self._came_to(trace):
            last = trace.end.moment.pc
            self.ran.add(last)
            self.ends.add(last)
            if trace.path:
                self.steps.add((trace.path[-1], last))

    @staticmethod
    def _came_to(trace: Trace) -> bool:
        return trace.end.kind not in ("lost", "invalid")


class Surveyor:
    """Compares what could run with what has run."""

    def __init__(self, image: Image, decoder: Decoder, flow: Flow, record: Record) -> None:
        self._image = image
        self._decoder = decoder
        self._flow = flow
        self._record = record
        self._before = {to: come for come, to in record.steps if come != to}

    def survey(self, entries: list[Entry], others: Others | None) -> Coverage:
        """Return what is left over beside @entries, of @others too if there can be any."""
        record = self._record
        path = self._flow.reach([*(entry.address for entry in entries), *record.ran])
        branches = [i for i in path.values() if i.address in record.ran and
                    self._flow.is_branch(i)]  # fmt: skip
        one_way = {b.address: b for i in branches if (b := self._one_way(i))}
        coverage = Coverage(
            sorted({entry.vector for entry in entries if entry.known} - ENTRIES.keys()),
            sum(address in record.ran for address in path),
            len(branches),
        )
        coverage.calls = sorted(ENTRIES.keys() & {entry.vector for entry in entries})
        missed = {address: i for address, i in path.items() if address not in record.ran}
        coverage.unrun = list(self._pieces(missed, one_way))
        said = {piece.behind.address for piece in coverage.unrun if piece.behind}
        coverage.one_way = [b for a, b in sorted(one_way.items()) if a not in said]
        coverage.external = sorted({name for i in path.values() if (name := self._external(i))})
        if others is not None:
            self._others(coverage, set(path), others.guesses)
        return coverage

    def _external(self, instruction: Instruction) -> str | None:
        """Return the variable that @instruction accesses, if no file defines it."""
        if instruction.detail is None or instruction.kind in (Kind.CALL, Kind.JUMP):
            return None
        address = self._decoder.memory_address(instruction, {})
        return self._image.externs.get(address) if address is not None else None

    def _one_way(self, jump: Instruction) -> Branch | None:
        target, steps = self._decoder.target(jump), self._record.steps
        if target == jump.end:
            return None
        taken, passed = (jump.address, target) in steps, (jump.address, jump.end) in steps
        if taken == passed:
            return None
        text = f"{jump.mnemonic} {self._image.describe(target)}"
        return Branch(jump.address, text, taken, self._flags_from(jump.address))

    def _flags_from(self, address: int) -> str:
        """Return the text of the instruction that has set the flags for the jump at @address."""
        for _ in range(FLAGS_REACH):
            address = self._before.get(address)
            instruction = self._decoder.at(address) if address is not None else None
            if instruction is None or instruction.detail is None:
                return ""
            if x86.X86_REG_EFLAGS in instruction.detail.regs_access()[1]:
                return self._decoder.words(instruction)
        return ""

    def _pieces(
        self, missed: dict[int, Instruction], one_way: dict[int, Branch]
    ) -> Iterator[Unrun]:
        """Yield @missed in rows, each with the way there."""
        ways = {}
        for branch in one_way.values():
            jump = self._decoder.at(branch.address)
            ways[jump.end if branch.taken else self._decoder.target(jump)] = branch
        stops = {onward: at for at in self._record.ends if (i := self._decoder.at(at))
                 for onward in self._flow.onward(i)}  # fmt: skip
        row: Unrun | None = None
        end = None
        for address in sorted(missed):
            if row is None or address != end:
                if row is not None:
                    yield row
                row = Unrun(address, 0, None)
            row.count += 1
            row.behind = row.behind or ways.get(address)
            row.stopped_at = row.stopped_at or stops.get(address)
            end = missed[address].end
        if row is not None:
            yield row

    def _others(self, coverage: Coverage, linted: set[int], guesses: dict[int, int]) -> None:
        """Note the functions that reach IRETQ by themselves, with their vectors as far as
        @guesses have them."""
        inside: set[int] = set()
        for address in Returning(self._image, self._decoder, self._flow).functions(linted):
            depths = self._flow.depths_at_iretq(address)
            name = self._image.describe(address)
            if all(depth is not None and depth >= FRAME for depth in depths):
                coverage.own_frames[name] = address  # such as a way into ring 3
                continue
            inside |= self._flow.reach([address]).keys() - linted
            why = "from a stack that it is given" if depths == {None} else ""
            vector = guesses.get(address, pushed_vector(self._decoder, address))
            coverage.unlinted.append(Function(name, flag(self._image, address, vector), why))
        coverage.beyond = len(inside)
