"""What the checks on one run have in common: its findings and the words for what it shows."""

from __future__ import annotations

from dataclasses import dataclass

from lint.architecture import PAGE_SIZE
from lint.checks.abi import Abi
from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.engine.callee import Judge
from lint.engine.disasm import Decoder
from lint.engine.trace import Moment, Trace, Write
from lint.engine.values import KERNEL_GS, STACK_BASE, STACK_SIZE, USER_GS
from lint.engine.vectors_in_c import VectorUse
from lint.load.image import Image

# Stores that go below RSP because that is what they are for.
PUSHES = ("push", "pushfq", "pushf", "call", "enter")

# Numbers up to this are worth telling; larger ones are what lay on the stack before.
SMALL = 1 << 16


@dataclass
class Context:
    """What a check must know beyond the run."""

    image: Image
    decoder: Decoder
    judge: Judge
    vector_use: VectorUse
    smap: bool
    swaps_gs: bool  # whether any stub of the kernel does
    shifts: dict[tuple[int, bool], int]  # by vector and code: how far C's frame is off
    twice: set[int]  # the IRETQs before which the error code is dropped twice
    right_without_code: set[int]  # those at which a vector without a code finds its frame
    abi: Abi  # of system calls


class Checks:
    """A part of the contract, to be checked on @trace."""

    def __init__(self, context: Context, trace: Trace) -> None:
        self.context = context
        self.trace = trace

    def finding(
        self, rule: str, seen: str, moment: Moment | None = None, severity: str | None = None
    ) -> Finding:
        """Return a finding of @rule at @moment, or at the stub's first instruction."""
        entry = self.trace.entry
        return Finding(
            rule,
            severity or RULES[rule].severity,
            entry.vector,
            seen,
            RULES[rule].duty,
            entry.name,
            moment.pc if moment else entry.address,
            moment,
            self.trace,
        )

    def name(self, value: int | None) -> str:
        """Return @value in words."""
        trace = self.trace
        if value is None:
            return "nothing"
        if value in trace.values.names:
            return trace.values.names[value]
        if value and value == trace.entry.vector:
            return "the vector"
        if STACK_BASE <= value < STACK_BASE + STACK_SIZE:
            return "an address on the stack"
        if value == USER_GS:
            return "the user's GS base"
        if self.context.image.is_code(value):
            return f"the address of {self.context.image.describe(value)}"
        return f"{value:#x}" if value < SMALL else "something else"

    def at_write(
        self, rule: str, seen: str, write: Write, severity: str | None = None
    ) -> Finding:
        """Return a finding of @rule at the instruction that made @write."""
        moment = self.moment_like(write.pc, write.position)
        return self.finding(rule, seen, moment, severity)

    def moment_like(self, pc: int, position: int | None = None) -> Moment:
        """Return the final state, placed at @pc: good enough to show where it was."""
        end = self.trace.end.moment
        path = self.trace.path
        if position is None:
            position = path.index(pc) if pc in path else len(path)
        return Moment(pc, position, end.registers, end.rflags, end.gs, 0, b"")

    def text(self, pc: int) -> str:
        """Return the instruction at @pc as it is written."""
        instruction = self.context.decoder.at(pc)
        return self.context.decoder.words(instruction) if instruction else "?"

    def mnemonic(self, pc: int) -> str:
        """Return the mnemonic of the instruction at @pc."""
        instruction = self.context.decoder.at(pc)
        return instruction.mnemonic if instruction else ""

    def is_kernels(self, address: int) -> bool:
        """Whether @address is a variable of the kernel's, which is always mapped."""
        image = self.context.image
        page = address // PAGE_SIZE * PAGE_SIZE
        external = any(page <= extern < page + PAGE_SIZE for extern in image.externs)
        per_cpu = KERNEL_GS <= address < KERNEL_GS + STACK_SIZE
        return external or per_cpu or image.segment_at(address) is not None

    def slot_name(self, value: int) -> str:
        """Return @value in words, a slot of the frame by its name."""
        if value in self.trace.values.frame.values():
            for name, slot in self.trace.values.frame.items():
                if slot == value:
                    return f"the frame's {name}"
        return self.name(value)
