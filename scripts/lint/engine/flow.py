"""Where execution can go, without running it: what a path can reach, and how deep the stack is
when it comes to IRETQ."""

from __future__ import annotations

from dataclasses import dataclass

from capstone import x86

from lint.engine.callee import Judge, stack_change
from lint.engine.disasm import Decoder, Instruction, Kind
from lint.load.image import Image

LONGEST_PATH = 5000  # instructions that are followed from one place
IDLE_LOOP = 16  # bytes: so near to a HLT is the jump back to it

ENDS = (Kind.RETURN, Kind.IRETQ, Kind.IRET32, Kind.SYSRET, Kind.JUMP)


class Flow:
    """Follows the instructions of one image. C is not entered."""

    def __init__(self, image: Image, decoder: Decoder, judge: Judge) -> None:
        self._image = image
        self._decoder = decoder
        self._judge = judge

    def onward(self, instruction: Instruction) -> list[int]:
        """Return the addresses at which execution can go on after @instruction."""
        kind = instruction.kind
        if kind in ENDS or instruction.mnemonic in ("ud0", "ud1", "ud2", "int3"):
            return []
        if kind is Kind.CALL:
            return self._after_call(instruction)
        if kind is Kind.TRAP and self._image.starts_function(instruction.end):
            return []
        if kind is Kind.HALT and self._is_idle_loop(instruction):
            return []
        target = self._target(instruction)
        if instruction.mnemonic == "jmp":
            return [target] if target is not None else []
        return [instruction.end] if target is None else [target, instruction.end]

    def is_branch(self, instruction: Instruction) -> bool:
        """Whether @instruction goes on in one of two places."""
        return instruction.kind is Kind.PLAIN and instruction.mnemonic != "jmp" and (
            self._target(instruction) is not None
        )

    def _target(self, instruction: Instruction) -> int | None:
        if not instruction.mnemonic.split()[-1].startswith(("j", "loop")):
            return None
        target = self._decoder.target(instruction)
        return target if target is not None and self._image.is_code(target) else None

    def _after_call(self, instruction: Instruction) -> list[int]:
        if ends_at_call(self._image, self._decoder, instruction):
            return []
        target = self._decoder.target(instruction)
        if target is None or target == instruction.end:
            return [instruction.end]
        callee = self._judge.judge(target)
        inside = [] if callee.is_c or not self._image.is_code(target) else [target]
        return [*inside, instruction.end] if callee.returns else inside

    def _is_idle_loop(self, halt: Instruction) -> bool:
        following = self._decoder.at(halt.end)
        if following is None or following.kind is Kind.HALT:
            return True
        target = self._target(following) if following.mnemonic == "jmp" else None
        return target is not None and halt.address - IDLE_LOOP < target <= following.address

    def reach(self, starts: list[int]) -> dict[int, Instruction]:
        """Return all instructions that can be reached from @starts, by address."""
        found: dict[int, Instruction] = {}
        pending = list(starts)
        while pending:
            instruction = self._decoder.at(pending.pop())
            if instruction is not None and instruction.address not in found:
                found[instruction.address] = instruction
                pending += self.onward(instruction)
        return found

    def _named(self, instruction: Instruction) -> int | None:
        """Return the address that @instruction takes by LEA relative to RIP, if it does."""
        operands = instruction.detail.operands if instruction.mnemonic == "lea" else []
        if operands and operands[1].mem.base == x86.X86_REG_RIP:
            return instruction.end + operands[1].mem.disp
        return None

    def _names_own_label(self, instruction: Instruction) -> bool:
        """Whether @instruction takes the address of a place in its own function, to which an
        IRETQ or a jump may then lead."""
        place = self._named(instruction)
        return place is not None and self._image.is_code(place) and (
            self._image.symbol_at(place) == self._image.symbol_at(instruction.address) is not None
        )

    def depths_at_iretq(self, start: int) -> set[int | None]:
        """Return how many bytes the code from @start has on the stack, beyond what was there, at
        each IRETQ that it reaches without a call. None: on a stack that it was given."""
        depths: set[int | None] = set()
        seen: set[int] = set()
        pending = [(start, Depths(0))]
        while pending and len(seen) < LONGEST_PATH:
            address, stack = pending.pop()
            instruction = self._decoder.at(address)
            if instruction is None or address in seen:
                continue
            seen.add(address)
            if instruction.kind in (Kind.IRETQ, Kind.IRET32):
                depths.add(stack.now)
            elif instruction.kind is Kind.CALL:
                pending.append((instruction.end, stack))
            elif self._names_own_label(instruction):
                pending += [(instruction.end, stack), (self._named(instruction), Depths(None))]
            else:
                after = stack.after(instruction)
                pending += [(onward, after) for onward in self.onward(instruction)]
        return depths


@dataclass(frozen=True)
class Depths:
    """How many bytes lie on the stack, and did so when a register took the value of RSP."""

    now: int | None  # None if that is not known
    kept: tuple[tuple[int, int | None], ...] = ()

    def after(self, instruction: Instruction) -> Depths:
        """Return what is so after @instruction."""
        operands = instruction.detail.operands if instruction.detail else []
        registers = [o.reg for o in operands if o.type == x86.X86_OP_REG]
        kept = dict(self.kept)
        if instruction.mnemonic == "leave":
            before = kept.get(x86.X86_REG_RBP)
            return Depths(None if before is None else before - 8, self.kept)
        if instruction.mnemonic == "mov" and registers[1:] == [x86.X86_REG_RSP]:
            return Depths(self.now, (*self.kept, (registers[0], self.now)))
        if instruction.kind is Kind.STACK_LOAD:
            if len(registers) == 2:
                return Depths(kept.get(registers[1]), self.kept)
            base = kept.get(operands[1].mem.base) if instruction.mnemonic == "lea" else None
            known = base is not None and not operands[1].mem.index
            return Depths(base - operands[1].mem.disp if known else None, self.kept)
        change = stack_change(instruction)
        return Depths(None if self.now is None else self.now + change, self.kept)


def ends_at_call(image: Image, decoder: Decoder, call: Instruction) -> bool:
    """Whether nothing that could be returned to follows @call: the compiler knew that the callee
    does not return, or the author did."""
    symbol = image.symbol_at(call.address)
    if symbol and symbol.size and call.end >= symbol.address + symbol.size:
        return True
    following = decoder.at(call.end)
    if following is None or following.mnemonic in ("ud2", "int3", "hlt"):
        return True
    to_itself = decoder.target(following) if following.mnemonic == "jmp" else None
    return to_itself is not None and to_itself in (following.address, call.address)

