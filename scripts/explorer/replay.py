"""From the events of a log to the steps of a recording, for one entry of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field

import capstone

from explorer import instruction
from explorer.delivery import SLOT, Delivery
from explorer.instruction import Effect
from explorer.log import GENERAL, Delivered, Event, Executed, Registers
from explorer.memory import Memory
from explorer.program import Program
from explorer.unlogged import Unlogged

INT_SIZES = {b"\xcc": 1, b"\xce": 1, b"\xf1": 1, b"\xcd": 2}
IRET_FLAGS = 0x3F7FD7 & ~(1 << 16)  # that IRETQ in ring 0 takes from the frame, but RF
PAGE = 12
KERNEL_STACK, USER_STACK = "kernel", "user"


class Disagreement(Exception):
    """What was measured is not what the architecture says, or the kernel."""


@dataclass
class Step:
    """An instruction at `rip`, a part of a delivery, or code that is not shown."""

    rip: int | None = None
    delivery: str = ""
    skipped: int | None = None
    says: str = ""
    reads: str = ""
    stack: str = ""
    who: str = ""  # takes it, if the place does not tell
    registers: Registers = field(default_factory=dict)
    writes: dict[int, tuple[int | None, str, str]] = field(default_factory=dict)
    findings: list[dict] = field(default_factory=list)  # stublint's

    def json(self) -> dict:
        found: dict = {}
        if self.rip is not None:
            found["rip"] = f"{self.rip:x}"
        elif self.delivery:
            found["delivery"] = self.delivery
        else:
            found["skipped"] = self.skipped
        for name in ("says", "reads", "stack", "who"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        if self.registers:
            found["set"] = {name: f"{value:x}" for name, value in self.registers.items()}
        if self.writes:
            found["write"] = [
                [f"{address:x}", None if value is None else f"{value:x}", by, name]
                for address, (value, by, name) in self.writes.items()
            ]
        if self.findings:
            found["finding"] = self.findings
        return found


class Replay:
    """The steps of one run, built event by event."""

    def __init__(
        self, program: Program, code: dict[int, bytes], memory: Memory, events: list[Event],
        logged: list[range],
    ) -> None:
        """The instructions in the ranges @logged are in the log."""
        self._program, self._code, self._memory = program, code, memory
        self._events, self._logged = events, logged
        self._unlogged = Unlogged(program)
        rsps = {event.registers["rsp"] for event in events}
        self._pages = {place >> PAGE for rsp in rsps for place in (rsp, rsp - SLOT)}
        self.steps: list[Step] = []
        self.state: Registers = {}
        self.instructions: dict[int, capstone.CsInsn] = {}
        self.deliveries: list[tuple[Delivered, Delivery]] = []
        self.window: dict[int, int] = {}  # slots that are older than the recording
        self.returns = 0  # by IRETQ
        self._names: dict[int, str] = {}
        self._last_write: dict[int, Step] = {}
        self._hidden: Step | None = None  # the last step that may have written unseen
        self.stack = ""
        self._stacks: list[str] = []  # those that traps have interrupted

    # What is known before the recording begins.

    def lead_in(self, end: int) -> None:
        """Take the writes of the events before number @end for what the stack holds."""
        for event in self._events[:end]:
            if isinstance(event, Executed) and (effect := self._effect(event.registers)):
                for address, size, value in effect.writes:
                    self._memory.store(address, size, value)
        self.state = dict(self._events[end].registers)
        self.stack = USER_STACK if self.state["cs"] & 3 else KERNEL_STACK
        rsp = self.state["rsp"]
        for place in range(rsp & ~(SLOT - 1), (rsp & ~0xFFF) + 0x1000, SLOT):
            if (value := self._memory.load(place, SLOT)) is not None:
                self.window[place] = value

    # The steps.

    def take(self, number: int) -> None:
        """Add the steps of event @number."""
        event = self._events[number]
        following = self._events[number + 1] if number + 1 < len(self._events) else None
        if isinstance(event, Delivered):
            self._deliver(event, following)
        else:
            self._execute(event, following)

    def _decode(self, registers: Registers) -> capstone.CsInsn | None:
        rip = registers["rip"]
        if rip not in self.instructions and (data := self._code.get(rip)):
            self.instructions[rip] = self._program.decode(rip, data, registers)
        return self.instructions.get(rip)

    def _effect(self, registers: Registers) -> Effect | None:
        """What the instruction that comes next does, if its bytes are known and 64-bit code."""
        insn = self._decode(registers)
        return instruction.effect(insn, registers, self._memory.load) if insn else None

    def _is_logged(self, rip: int) -> bool:
        return any(rip in where for where in self._logged)

    def _goes_on(self, event: Executed, effect: Effect | None, following: Event) -> bool:
        """Whether @following comes right behind @event: else code ran in between that is not in
        the log."""
        rip, now = event.registers["rip"], following.registers
        if effect is None or now["rip"] == rip or now["rip"] in effect.targets:
            return True
        if effect.targets:
            return False
        ways = [address for address, _, register in effect.reads if register == "rip"]
        if not ways:  # a call or a jump by a pointer
            return "rsp" not in effect.registers or now["rsp"] == effect.registers["rsp"]
        known = self._memory.load(ways[0], SLOT)
        return known is None or known == now["rip"] or self._is_logged(known)

    def _execute(self, event: Executed, following: Event | None) -> None:
        rip = event.registers["rip"]
        step = Step(rip=rip)
        self.steps.append(step)
        effect = self._effect(event.registers)
        if following is None:
            return
        faults = isinstance(following, Delivered) and following.registers["rip"] == rip
        if faults:
            self._become(step, {**following.registers, **self._of_delivery()})
            return
        if not self._goes_on(event, effect, following):
            self._write(step, effect, rip)
            self._become(step, {**effect.registers, **self._loaded(effect)})
            self._return(step, rip)
            self._skip(event, following)
            return
        after = following.registers
        if isinstance(following, Delivered):
            after = {**after, **self._of_delivery()}
        if effect:
            self._read(step, effect, after)
            self._write(step, effect, rip)
        self._become(step, after)
        self._return(step, rip)

    def _loaded(self, effect: Effect) -> Registers:
        """What @effect takes from memory, where that is known."""
        known = {r: self._memory.load(at, size) for at, size, r in effect.reads}
        return {name: value for name, value in known.items() if name in self.state and value}

    def _of_delivery(self) -> Registers:
        """The registers that a delivery changes before it pushes: not yet."""
        return {name: self.state[name] for name in ("cr2", "dr6")}

    def _become(self, step: Step, registers: Registers) -> None:
        """Set what is now different."""
        for name, value in registers.items():
            if self.state.get(name) != value:
                step.registers[name] = self.state[name] = value

    def _skip(self, event: Executed, following: Event) -> None:
        """Code runs behind @event that is not in the log, up to @following."""
        begin = self.state["rip"]
        name = self._program.place(begin).partition("+")[0]
        after = following.registers
        if isinstance(following, Delivered):
            after = {**after, **self._of_delivery()}
        ran = event.hidden(following)
        if ran:
            begin = ran[0] if begin == event.rip else begin  # where it leads is not known
            ran = self._unlogged.complete(begin, ran, following.rip)
        step = Step(skipped=len(ran) or None, says=f"{name} runs")
        self.steps.append(step)
        self._hidden = step
        self._become(step, after)

    def _write(self, step: Step, effect: Effect | None, rip: int) -> None:
        for address, size, value in effect.writes if effect else []:
            self._memory.store(address, size, value)
            slot = address & ~(SLOT - 1)
            if slot >> PAGE not in self._pages:
                continue
            self._last_write[slot] = step
            self._names[slot] = self._name(rip, slot)
            whole = self._memory.load(slot, SLOT)
            step.writes[slot] = whole, self._writer(rip), self._names[slot]

    def _read(self, step: Step, effect: Effect, after: Registers) -> None:
        """Hold what the instruction has read against what was written."""
        for address, size, register in effect.reads:
            value = instruction.value(register, after)
            if value is None:
                continue
            known = self._memory.load(address, size)
            mask = IRET_FLAGS if register == "rflags" else (1 << 8 * size) - 1
            if register in ("cs", "ss"):
                mask = 0xFFFF
            if known is not None and (known ^ value) & mask == 0:
                continue
            if register in ("rflags", "cs", "ss") and known is not None:
                value = known & ~mask | value & mask
            self._seen(address, value)

    def _seen(self, address: int, value: int) -> None:
        """@address holds @value, and nobody was seen to write that."""
        if address >> PAGE not in self._pages:
            return
        known = self._memory.load(address, SLOT)
        self._memory.store(address, SLOT, value)
        last = self._last_write.get(address)
        if known is None and last is not None:
            _value, by, name = last.writes[address]
            last.writes[address] = value, by, name
        elif self._hidden is not None:
            name = self._names.get(address, "")
            self._hidden.writes[address] = value, "C", name
        elif known is None:
            self.window[address] = value
        else:
            raise Disagreement(
                f"{address:x} holds {value:x}, and {known or 0:x} was the last that was written"
            )

    def _writer(self, rip: int) -> str:
        if rip in self._program.stubs:
            return "stub"
        if rip in self._program.entry:
            return "trap_entry"
        return "program" if any(rip in where for where in self._program.programs) else "C"

    def _name(self, rip: int, slot: int) -> str:
        """What the instruction at @rip puts into @slot of the frame."""
        writer, insn = self._writer(rip), self.instructions[rip]
        if writer not in ("stub", "trap_entry"):
            return ""
        if insn.mnemonic == "push" and insn.op_str in GENERAL:
            return insn.op_str
        if insn.mnemonic == "call":
            return "return address"
        if writer == "stub" and insn.mnemonic == "push":
            following = self._code.get(rip + insn.size, b"")
            return "error code" if following[:1] in (b"\x68", b"\x6a") else "vector"
        return "error code" if "+ 8]" in insn.op_str else "vector"

    def _return(self, step: Step, rip: int) -> None:
        """Tell the stack behind an IRETQ."""
        insn = self.instructions.get(rip)
        if insn is None or not insn.mnemonic.startswith("iret"):
            return
        self.returns += 1
        if not self._stacks:
            return
        before = self._stacks.pop()
        if before == USER_STACK and self.state["cs"] & 3 == 0:
            before = KERNEL_STACK  # the handler has ended the program
        if before != self.stack:
            step.stack = self.stack = before

    # The CPU's own steps.

    def _saved_rip(self, event: Delivered) -> int:
        rip = event.registers["rip"]
        if not event.record.software:
            return rip
        # Where CS has a base, the log names an instruction by its linear address, RIP does not.
        linear = event.before.rip if event.before else rip
        data = self._code.get(rip) or self._code.get(linear) or self._program.data(rip, 1)
        return rip + INT_SIZES.get(data[:1], 0)

    def _deliver(self, event: Delivered, following: Event | None) -> None:
        arrived = event.record.delivered and following is not None
        after = following.registers if arrived else None
        delivery = Delivery(event, after, self._saved_rip(event), self._memory)
        self.deliveries.append((event, delivery))
        for part in delivery.parts():
            step = Step(delivery=part.name, says=part.says, reads=part.reads, stack=part.stack)
            self.steps.append(step)
            if part.push:
                push = part.push
                self._memory.store(push.address, SLOT, push.value)
                self._last_write[push.address] = step
                self._names[push.address] = push.name
                step.writes[push.address] = push.value, "CPU", push.name
            self._become(step, part.registers or {})
        if after is not None:
            self._stacks.append(self.stack)
            self.stack = delivery.stack or self.stack
