"""What one run of one stub has shown."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from lint.engine.callee import Callee
from lint.engine.values import Values, Variant


@dataclass(frozen=True)
class Entry:
    """A stub: what the gate of a vector points to."""

    vector: int
    address: int
    name: str
    known: bool = True  # whether the vector is certain, and not merely assumed
    dpl: int | None = None  # of its gate, None if nobody said
    trap_gate: bool = False
    ist: int | None = None  # which IST stack its gate names, 0 for none, None if nobody said


@dataclass
class Moment:
    """The machine before the instruction at pc."""

    pc: int
    position: int  # in the path
    registers: dict[str, int]
    rflags: int
    gs: int
    stack_base: int  # RSP, or the start of the stack region if RSP lies outside of it
    stack: bytes  # from there to above the frame

    @property
    def rsp(self) -> int:
        return self.registers["rsp"]

    def word(self, address: int) -> int | None:
        """Return the eight bytes on the stack at @address."""
        offset = address - self.stack_base
        if 0 <= offset <= len(self.stack) - 8:
            return int.from_bytes(self.stack[offset : offset + 8], "little")
        return None

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """Return @count times eight bytes on the stack from @address on, fewer if it ends before."""
        offset = address - self.stack_base
        count = min(count, (len(self.stack) - offset) // 8)
        if offset < 0 or count <= 0:
            return ()
        return struct.unpack_from(f"<{count}Q", self.stack, offset)


@dataclass
class Call:
    """The stub calls C."""

    moment: Moment
    callee: Callee
    return_address: int
    by_jump: bool  # as a tail call: the return address is on the stack already

    @property
    def misalignment(self) -> int:
        """RSP mod 16 before the call pushed its return address; the ABI wants 0."""
        return (self.moment.rsp + (8 if self.by_jump else 0)) % 16


@dataclass
class Write:
    """A store."""

    pc: int
    position: int
    address: int
    size: int
    value: int
    rsp: int


@dataclass
class End:
    """How the run ended."""

    kind: str  # iretq, iret32, return, sysret, lost, invalid, wild, exception, halt, budget,
    # noreturn, switch, unsupported, trap
    moment: Moment
    value: int = 0  # the address that execution or an access left for
    vectors: list[int] = field(default_factory=list)  # YMM0 to YMM15
    fs: int = 0
    fpu_control: tuple[int, int] = (0, 0)  # MXCSR, and the x87 control word


@dataclass
class Trace:
    """One run."""

    entry: Entry
    variant: Variant
    values: Values
    path: list[int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    swapgs: list[Moment] = field(default_factory=list)
    sti: list[Moment] = field(default_factory=list)
    cr3: list[Moment] = field(default_factory=list)  # before each load of it
    cr2: list[Moment] = field(default_factory=list)  # before each time it is read
    gs_loads: list[Moment] = field(default_factory=list)
    user_accesses: list[tuple[int, int]] = field(default_factory=list)  # instruction, address
    clears_ac: bool = False
    end: End | None = None
    watched: list[Moment] = field(default_factory=list)  # before every instruction, if asked for

    def last_change(self, names: list[str]) -> Moment | None:
        """Return the moment before the instruction that gave the first of the registers @names
        its last value."""
        final = self.end.moment.registers
        for before in reversed(self.watched):
            if any(before.registers[name] != final[name] for name in names):
                return before
        return None

    def watched_at(self, moment: Moment) -> Moment | None:
        """Return what was watched before the instruction that @moment is at."""
        return next((m for m in reversed(self.watched)
                     if m.pc == moment.pc and m.position <= moment.position), None)  # fmt: skip

    @property
    def frame_address(self) -> int:
        """Where the CPU put rip."""
        return self.values.top - 40

    @property
    def entry_rsp(self) -> int:
        """RSP at the first instruction."""
        return self.frame_address - (8 if self.variant.has_code else 0)
