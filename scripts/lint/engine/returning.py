"""From where IRETQ is reached, by the code alone: forward from one address, or backward from every
IRETQ of an image."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

import capstone

from lint.engine.disasm import Decoder, Kind
from lint.engine.flow import Flow
from lint.load.image import Image

FAR_JUMP = re.compile(rb"\xe9|\x0f[\x80-\x8f]")
CALL = re.compile(rb"\xe8")
SHORT_REACH = 130  # bytes between a short jump and its target
IRETQ = re.compile(rb"\x48\xcf")

LONGEST_WAY = 2000  # instructions that are followed
FIRST_CALLS = 8  # instructions: some stubs call the common path, which returns by itself

# After these nothing is executed but what somebody jumps to.
ENDS = ("jmp", "ret", "retq", "retf", "retfq", "iretq", "iretd", "sysret", "sysretq", "ud2")
PADDING = ("nop", "int3")


class Handlers:
    """Tells handlers from other code, each address once."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._known: dict[tuple[int, int], bool] = {}

    def __contains__(self, address: int) -> bool:
        """Whether an IRETQ, or IRET by mistake, can be reached from @address."""
        return self.reaches(address, LONGEST_WAY)

    def reaches(self, address: int, longest: int) -> bool:
        """Whether it can after no more than @longest instructions, on all ways together."""
        if (address, longest) not in self._known:
            self._known[address, longest] = self._follow(address, longest)
        return self._known[address, longest]

    def _follow(self, start: int, longest: int) -> bool:
        pending, seen = [start], set()
        while pending and len(seen) < longest:
            address = pending.pop()
            while address not in seen:
                seen.add(address)
                instruction = self._decoder.at(address)
                if instruction is None or instruction.kind in (Kind.RETURN, Kind.JUMP):
                    break
                if instruction.kind in (Kind.IRETQ, Kind.IRET32):
                    return True
                if instruction.mnemonic.startswith(("j", "loop")):
                    target = self._decoder.target(instruction)
                    if target is not None:
                        pending.append(target)
                    if instruction.mnemonic == "jmp":
                        break
                elif instruction.kind is Kind.CALL and len(seen) < FIRST_CALLS:
                    target = self._decoder.target(instruction)
                    if target is not None:
                        pending.append(target)
                address = instruction.end
        return False


def starts_of(image: Image) -> tuple[set[int], set[int]]:
    """Return where code starts that execution does not only fall into, and which of them it never
    falls into: at symbols or, in a file without any, after whatever ends a path and where calls
    lead."""
    named = {s.address for s in image.symbols if image.is_code(s.address)}
    if named:
        return named, set()
    called = {target for _, target in _jumps(image, CALL)}
    return called | set(_swept(image)), called


def _jumps(image: Image, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where what looks like a jump or call with a 32-bit distance is, and where it leads."""
    for segment in image.code():
        data = bytes(segment.data)
        for match in pattern.finditer(data):
            end = match.end() + 4
            distance = int.from_bytes(data[match.end() : end], "little", signed=True)
            target = segment.address + end + distance
            if segment.address <= target < segment.end:
                yield segment.address + match.start(), target


def _swept(image: Image) -> Iterator[int]:
    lite = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    lite.skipdata = True
    for segment in image.code():
        begins = True
        for address, _, name, _ in lite.disasm_lite(bytes(segment.data), segment.address):
            if begins and name not in PADDING and not name.startswith("."):
                yield address
                begins = False
            begins = begins or name in ENDS


class Returning:
    """Finds where code starts from which IRETQ is reached without a call. Only that is decoded
    which holds its bytes, falls into such code, or jumps there."""

    def __init__(self, image: Image, decoder: Decoder, flow: Flow) -> None:
        self._image = image
        self._decoder = decoder
        self._flow = flow
        self._lite = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        starts, self._entered = starts_of(image)
        self._starts = sorted(starts)

    def functions(self, linted: set[int]) -> list[int]:
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
        return sorted(roots)

    def _all(self) -> set[int]:
        found: set[int] = set()
        jumps = list(_jumps(self._image, FAR_JUMP))
        new = {start for start in map(self._start, self._iretqs())
               if start is not None and self._holds(start)}  # fmt: skip
        while new:
            found |= new
            sources = {self._start(at) for at, target in jumps if self._start(target) in new}
            sources |= {s for start in new for s in self._neighbours(start)}
            sources -= {None, *found}
            new = {start for start in sources
                   if not self._is_padding(start) and self._leads_to(start, found)}  # fmt: skip
        return found

    def _iretqs(self) -> Iterator[int]:
        for segment in self._image.code():
            for match in IRETQ.finditer(bytes(segment.data)):
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
            if instruction is None or instruction.mnemonic not in PADDING:
                return False
            address = instruction.end
        return True

    def _leads_to(self, start: int, found: set[int]) -> bool:
        """Whether the code at @start goes on into one of @found."""
        end, address, ended = self._end(start), start, False
        while address < end:
            instruction = self._decoder.at(address)
            if instruction is None:
                return False
            onward = self._flow.onward(instruction)
            # What follows an end and does nothing is never come to.
            ended = not onward or ended and instruction.mnemonic.split()[-1] in PADDING
            by_call = instruction.kind is Kind.CALL
            for place in () if ended else onward:
                if by_call and place in self._entered:
                    continue  # the callee, or the next function after one that does not return
                inside = start <= place < end
                if not inside and self._start(place) in found:
                    return not by_call or place == instruction.end
            address = instruction.end
        return False
