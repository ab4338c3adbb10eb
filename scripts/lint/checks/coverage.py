"""What a run has not looked at: instructions and branches of the linted path that never ran, and
functions that return by IRETQ as well, but that no linted vector leads to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import capstone
from capstone import x86

from lint.architecture import ENTRIES, VECTOR_COUNT
from lint.engine.disasm import Decoder, Instruction, Kind
from lint.engine.flow import Flow
from lint.engine.trace import Entry, Trace
from lint.load.image import Image, Symbol

FRAME = 40  # bytes that IRETQ takes
FAR_JUMP = re.compile(rb"\xe9|\x0f[\x80-\x8f]")
SHORT_JUMP = re.compile(rb"[\xeb\x70-\x7f]")
SHORT_REACH = 130  # bytes between a short jump and its target

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

    def survey(self, entries: list[Entry]) -> Coverage:
        """Return what is left over beside @entries."""
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
        if all(entry.dpl is None for entry in entries):  # else the gates say which stubs there are
            self._others(coverage, set(path))
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
                return _text(instruction)
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

    def _others(self, coverage: Coverage, linted: set[int]) -> None:
        """Note the functions that reach IRETQ by themselves."""
        inside: set[int] = set()
        for symbol in Returning(self._image, self._decoder, self._flow).functions(linted):
            depths = self._flow.depths_at_iretq(symbol.address)
            name = self._image.describe(symbol.address)
            if all(depth is not None and depth >= FRAME for depth in depths):
                coverage.own_frames[name] = symbol.address  # such as a way into ring 3
                continue
            inside |= self._flow.reach([symbol.address]).keys() - linted
            why = "from a stack that it is given" if depths == {None} else ""
            coverage.unlinted.append(Function(name, self._flag(symbol), why))
        coverage.beyond = len(inside)

    def _flag(self, symbol: Symbol) -> str:
        """Return the option that adds @symbol, with the vector that it pushes, if it does."""
        address, vector = symbol.address, "VECTOR"
        for _ in range(4):
            instruction = self._decoder.at(address)
            if instruction is None or instruction.mnemonic.startswith(("j", "call", "iret")):
                break
            number = self._decoder.target(instruction) if instruction.mnemonic == "push" else None
            if number is not None and number < VECTOR_COUNT:
                vector = str(number)
            address = instruction.end
        return f"--stub={vector}={symbol.name}"


class Returning:
    """Finds the functions and labels from which IRETQ is reached without a call. Only those are
    decoded that hold its bytes, that fall into such a one, or that jump there."""

    def __init__(self, image: Image, decoder: Decoder, flow: Flow) -> None:
        self._image = image
        self._decoder = decoder
        self._flow = flow
        self._lite = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        code = {s.address: s for s in image.symbols if image.is_code(s.address)}
        self._starts = sorted(code)
        self._symbols = code

    def functions(self, linted: set[int]) -> list[Symbol]:
        """Return those that no other one leads to, and that are no part of what is @linted."""
        found = self._all() - linted
        reached: dict[int, set[int]] = {
            start: self._flow.reach([start]).keys() - {start} for start in sorted(found)
        }
        inner = set().union(*reached.values())
        roots = [start for start in sorted(found) if start not in inner]
        seen = set(roots).union(*(reached[root] for root in roots))
        for start in sorted(found - seen):  # in a circle, of which any is as good
            if start not in seen:
                roots.append(start)
                seen |= {start, *reached[start]}
        return [self._symbols[start] for start in sorted(roots)]

    def _all(self) -> set[int]:
        found: set[int] = set()
        jumps = list(self._far_jumps())
        new = {start for start in map(self._start, self._bytes(rb"\x48\xcf"))
               if start is not None and self._holds(start)}  # fmt: skip
        while new:
            found |= new
            sources = {self._start(at) for at, target in jumps if self._start(target) in new}
            sources |= {s for start in new for s in self._neighbours(start)}
            sources -= {None, *found}
            new = {start for start in sources
                   if not self._is_padding(start) and self._leads_to(start, found)}  # fmt: skip
        return found

    def _bytes(self, pattern: bytes) -> Iterator[int]:
        for segment in self._image.code():
            for match in re.finditer(pattern, bytes(segment.data), re.DOTALL):
                yield segment.address + match.start()

    def _start(self, address: int) -> int | None:
        """Return the start of what @address belongs to."""
        index = bisect_right(self._starts, address) - 1
        return self._starts[index] if index >= 0 else None

    def _end(self, start: int) -> int:
        index = bisect_right(self._starts, start)
        segment = self._image.segment_at(start)
        following = self._starts[index] if index < len(self._starts) else segment.end
        return min(following, segment.end)

    def _holds(self, start: int) -> bool:
        data = self._image.read(start, self._end(start) - start) or b""
        return any(name == "iretq" for _, _, name, _ in self._lite.disasm_lite(data, start))

    def _far_jumps(self) -> Iterator[tuple[int, int]]:
        for segment in self._image.code():
            data = bytes(segment.data)
            for match in FAR_JUMP.finditer(data):
                end = match.end() + 4
                distance = int.from_bytes(data[match.end() : end], "little", signed=True)
                target = segment.address + end + distance
                if segment.address <= target < segment.end:
                    yield segment.address + match.start(), target

    def _neighbours(self, start: int) -> Iterator[int]:
        """Yield what lies so near to @start that it could fall into it or jump there shortly."""
        for address in (start - 1, *range(start - SHORT_REACH, self._end(start) + SHORT_REACH, 8)):
            near = self._start(address)
            if near is not None:
                yield near

    def _is_padding(self, start: int) -> bool:
        """Whether nothing but what fills up to the next label is at @start."""
        end, address = self._end(start), start
        while address < end:
            instruction = self._decoder.at(address)
            if instruction is None or instruction.mnemonic not in ("nop", "int3"):
                return False
            address = instruction.end
        return True

    def _leads_to(self, start: int, found: set[int]) -> bool:
        """Whether the code at @start goes on into one of @found."""
        end, address = self._end(start), start
        while address is not None and address < end:
            instruction = self._decoder.at(address)
            if instruction is None:
                return False
            for onward in self._flow.onward(instruction):
                inside = start <= onward < end
                if not inside and self._start(onward) in found:
                    return instruction.kind is not Kind.CALL or onward == instruction.end
            address = instruction.end
        return False


def _text(instruction: Instruction) -> str:
    return " ".join(instruction.text.split())
