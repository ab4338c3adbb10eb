"""What one instruction of the path did to the stack."""

from __future__ import annotations

from dataclasses import dataclass

import gdb
from manuals import short

from .. import execution
from ..frame import path, symbols, trap
from ..frame.trap import Slot, Trap
from . import stack

# What instructions are for that leave the slots alone.
_PURPOSES = {
    "endbr64": "a target for the CPU",
    "test spl,0x8": "did a code come?",
    "jne trap_entry": "if so, no fixup",
    "mov rbp,rsp": "RBP holds the frame",
    "test dword [rbp+0x98],0x40400": "were DF or AC set?",
    "je trap_entry.safe": "if so, clear them",
    "cld": "DF = 0, for C",
    "clac": "AC = 0, for C",
    "nop dword [rax]": "no SMAP, no CLAC",
    "and rsp,-16": "aligned already",
    "mov rdi,rbp": "RDI = struct regs *",
    "mov rsp,rbp": "RSP = struct regs",
}


@dataclass(frozen=True)
class Moment:
    """The machine between two instructions of the path."""

    pc: int
    rsp: int
    slots: dict[int, Slot]  # by address
    trap: Trap

    @staticmethod
    def now() -> Moment | None:
        """The present one, or None outside of the path."""
        frame = gdb.newest_frame()
        if not trap.on_path(frame):
            return None
        found = Trap(frame)
        return Moment(
            found.pc, found.rsp, {slot.address: slot for slot in found.slots()}, found
        )


def _value(slot: Slot, now: Trap) -> str:
    return short(now.vector) if slot.name == "vector" else f"{slot.value:#x}"


def effect(before: Moment, after: Moment) -> str:
    """Return what the instruction at @before did, e.g. "+ rax 0x602000"."""
    new = [slot for address, slot in after.slots.items() if address not in before.slots]
    if new:
        return ", ".join(f"+ {slot.name} {_value(slot, after.trap)}" for slot in new)
    changed = [slot for at, slot in after.slots.items() if before.slots[at].value != slot.value]
    if changed:
        return ", ".join(f"{slot.name} = {slot.value:#x}" for slot in changed)
    gone = [slot.name for address, slot in before.slots.items() if address not in after.slots]
    if gone:
        return f"- {', '.join(gone)}"
    return _PURPOSES.get(stack.instruction(before.pc), "")


def row(pc: int, rsp: int, did: str) -> str:
    """Return one line on the instruction at @pc, which left RSP at @rsp."""
    text = f"  {symbols.place(pc):<13} {stack.instruction(pc):<29} {rsp & 0xFFFF:04x}"
    return f"{text} {rsp % 16}  {did}".rstrip()


def header() -> str:
    """Return the line above rows."""
    return f"  {'source':<13} {'instruction':<29} RSP%16  did to the stack"


def is_next(before: Moment, after: Moment) -> bool:
    """Whether one instruction leads from @before to @after, C being one."""
    if before.trap.top != after.trap.top or is_return(before.pc):
        return False
    jumps = stack.instruction(before.pc).startswith("j")
    return jumps or after.pc == execution.behind(before.pc)


def is_return(pc: int) -> bool:
    """Whether the instruction at @pc leaves the path: IRETQ."""
    return stack.instruction(pc) == "iretq"


def is_call(pc: int) -> bool:
    """Whether the instruction at @pc is the call of trap_dispatch()."""
    return path.contains(pc) and stack.instruction(pc).startswith("call")
