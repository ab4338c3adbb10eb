"""The CPU's own part of a trap, in steps: what the architecture says that it does, with the numbers
that were measured before and behind it. SDM vol. 3, 6.12 and 6.14; APM vol. 2, 8.9."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import deviations
from emulator import qemu
from explorer.log import Delivered, Registers
from explorer.memory import Memory
from manuals import CONSTANTS, short

SLOT = 8
GATE_SIZE = 16
TSS = CONSTANTS["CPU_BASE"]  # it is the first of struct cpu
TSS_RSP0, TSS_IST = 4, 36  # SDM vol. 3, figure 7-11
GATE_TYPES = {0xE: "interrupt gate", 0xF: "trap gate"}
IST_STACKS = {
    number: range(CONSTANTS[f"{name}_STACK_LOW"], CONSTANTS[f"{name}_STACK_HIGH"])
    for number, name in ((1, "DF"), (2, "MC"))
}

# Bits of RFLAGS that are cleared on the way in: SDM vol. 3, 6.12.1.2 and 6.12.1.3.
RFLAGS_RF = CONSTANTS["RFLAGS_RF"]
TRAPS = (1, 3, 4, 8, 18)  # with which RF is not saved as 1: SDM vol. 3, 17.3.1.1
CLEARED = {name: CONSTANTS[f"RFLAGS_{name}"] for name in ("TF", "IF", "NT", "RF")}


@cache
def saves_rf() -> bool:
    """Whether this QEMU saves RFLAGS.RF as 1 for a fault, as the architecture wants."""
    here = deviations.Implementation("qemu-tcg", qemu.version())
    rows = deviations.find(deviations.load(), "qemu-tcg", "rf-fault")
    return not any(here.is_one_of(row.versions) for row in rows)


@dataclass(frozen=True)
class Gate:
    """A descriptor of the IDT: SDM vol. 3, figure 6-8."""

    value: int
    offset: int
    selector: int
    ist: int
    attributes: int

    @classmethod
    def unpack(cls, value: int) -> Gate:
        low, high = value & (1 << 64) - 1, value >> 64
        offset = low & 0xFFFF | (low >> 48) << 16 | (high & 0xFFFFFFFF) << 32
        return cls(value, offset, low >> 16 & 0xFFFF, low >> 32 & 7, low >> 40 & 0xFF)

    def __str__(self) -> str:
        kind = GATE_TYPES.get(self.attributes & 0xF, f"type {self.attributes & 0xF:#x}")
        present = "" if self.attributes & 0x80 else ", not present"
        return (
            f"{self.value >> 64:016x} {self.value & (1 << 64) - 1:016x}:"
            f" {self.selector:04x}:{self.offset:016x}, {kind}, IST {self.ist},"
            f" DPL {self.attributes >> 5 & 3}{present}"
        )


@dataclass
class Push:
    """A slot that the CPU fills."""

    address: int
    value: int | None
    name: str


@dataclass
class Part:
    """One step of a delivery."""

    name: str
    says: str
    reads: str = ""
    push: Push | None = None
    registers: Registers | None = None  # that it sets
    stack: str = ""


class Delivery:
    """One delivery, from what was there before it to the first instruction of the handler."""

    def __init__(
        self, event: Delivered, after: Registers | None, saved_rip: int, memory: Memory
    ) -> None:
        """@after is None if it was not completed."""
        self.event, self.after, self.saved_rip = event, after, saved_rip
        self.record, self.before = event.record, event.registers
        raw = memory.load(event.idt + GATE_SIZE * self.record.vector, GATE_SIZE)
        self.gate = None if raw is None else Gate.unpack(raw)
        self._memory = memory
        self.has_code = self.switches = False
        if after is not None:
            self.has_code = after["rsp"] % 16 == 0
            self.top = after["rsp"] + SLOT * (6 if self.has_code else 5)
            self.ring_after = after["cs"] & 3
            self.switches = self.record.cpl != self.ring_after or not self._stays()

    def _stays(self) -> bool:
        return self.top == self.before["rsp"] & ~15

    @property
    def name(self) -> str:
        return short(self.record.vector)

    @property
    def stack(self) -> str:
        """The name of the stack that it changes to, or "" if it stays."""
        if not self.switches:
            return ""
        if self.gate and self.gate.ist:
            return f"IST {self.gate.ist}"
        for number, where in IST_STACKS.items():
            if self.top - 1 in where:
                return f"IST {number}"
        return "RSP0" if self.record.cpl != self.ring_after else "IST"

    @property
    def pushed(self) -> list[tuple[str, int]]:
        """The frame, from the highest address down."""
        before = self.before
        frame = [
            ("ss", before["ss"]),
            ("rsp", before["rsp"]),
            ("rflags", before["rflags"] | self._saved_rf),
            ("cs", before["cs"]),
            ("rip", self.saved_rip),
        ]
        return frame + ([("error code", self.record.error)] if self.has_code else [])

    @property
    def _saved_rf(self) -> int:
        """RF as this QEMU saves it, which sets it for whatever is no trap; if it sets it at all."""
        record = self.record
        is_fault = not record.software and record.vector not in TRAPS
        return RFLAGS_RF if is_fault and saves_rf() else 0

    def parts(self) -> Iterator[Part]:
        """The steps."""
        yield self._event()
        yield self._gate()
        if self.after is None:
            yield Part("failure", f"The delivery of {self.name} fails: the fault of that is next.")
            return
        yield self._privilege()
        rsp = self.before["rsp"]
        if self.switches:
            yield (part := self._switch())
            rsp = part.registers["rsp"]
        yield self._alignment(rsp)
        place = self.top
        for name, value in self.pushed:
            place -= SLOT
            push = Push(place, value, name)
            yield Part(f"push {name}", SAYS[name], push=push, registers={"rsp": place})
        yield self._jump()

    def _event(self) -> Part:
        record = self.record
        kind = "exception"
        if record.software:
            kind = "software interrupt"
        elif record.hardware:
            kind = "interrupt"
        changed = {name: self.before[name] for name in ("cr2", "dr6")}
        words = f"{self.name}: {kind}, vector {record.vector}"
        if self.after and self.has_code:
            words += f", error code {record.error:#x}"
        if record.cr2 is not None:
            words += f"; CR2 takes the address {record.cr2:x}"
        return Part("event", words, registers=changed)

    def _gate(self) -> Part:
        vector = self.record.vector
        gate = str(self.gate) if self.gate else "not seen: the entry has changed it"
        if GATE_SIZE * vector + GATE_SIZE - 1 > self.event.idt_limit:
            gate = f"nothing: it lies beyond the IDT's limit {self.event.idt_limit:#x}"
        words = f"The gate is entry {vector} of the IDT, 16 bytes each."
        return Part("gate", words, f"IDT[{vector}] = {gate}")

    def _privilege(self) -> Part:
        cpl, new = self.record.cpl, self.ring_after
        words = f"CPL {cpl} -> {new}" if cpl != new else f"CPL stays {cpl}"
        if self.record.software and self.gate:
            dpl = self.gate.attributes >> 5 & 3
            words += f"; an INT may use the gate, for its DPL {dpl} is not below CPL {cpl}"
        return Part("privilege", words)

    def _switch(self) -> Part:
        name = self.stack
        number = int(name[4:]) if name[:4] == "IST " else 0
        offset = TSS_IST + SLOT * (number - 1) if number else TSS_RSP0
        value = self._memory.load(TSS + offset, SLOT)
        if value is None or value & ~15 != self.top:
            value = self.top
        why = "the gate names it" if name != "RSP0" else "the ring changes, and the gate names no IST"
        slot = f"TSS.IST{number or ''}" if name != "RSP0" else "TSS.RSP0"
        return Part(
            "stack switch",
            f"RSP comes from {slot}: {why}.",
            f"{slot} = {value:016x}",
            registers={"rsp": value},
            stack=name,
        )

    def _alignment(self, rsp: int) -> Part:
        gap = rsp - self.top
        if not gap:
            return Part("alignment", "RSP is a multiple of 16 already: no gap.")
        words = f"RSP is aligned down to 16: {gap} bytes stay unused."
        push = Push(self.top, None, "gap") if gap == SLOT else None
        return Part("alignment", words, push=push, registers={"rsp": self.top})

    def _jump(self) -> Part:
        flags = self.before["rflags"] & ~self.after["rflags"]
        cleared = [name for name, bit in CLEARED.items() if flags & bit]
        words = f"CS:RIP come from the gate: {self.after['cs']:04x}:{self.after['rip']:016x}"
        if cleared:
            words += f"; RFLAGS loses {', '.join(cleared)}"
        return Part("jump", words, registers=self.after)


SAYS = {
    "ss": "SS of the interrupted program, even if the ring does not change.",
    "rsp": "RSP of the interrupted program, from before the alignment.",
    "rflags": "RFLAGS of the interrupted program, with IF, TF, DF and AC as they were.",
    "cs": "CS of the interrupted program: its lowest two bits are the ring.",
    "rip": "RIP: where IRETQ will go on.",
    "error code": "The error code, which this exception has.",
}
