"""What one instruction does to memory, as the architecture says: what it writes there, and what it
reads, which then shows what was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import capstone
from capstone import CS_GRP_CALL, CS_GRP_JUMP, x86
from capstone.x86 import X86_GRP_BRANCH_RELATIVE

from explorer.log import Registers

SLOT = 8
ONLY_LOOK = ("lea", "nop", "test", "cmp")  # whose operands Capstone takes for written, or read
MASK = (1 << 64) - 1
Load = Callable[[int, int], "int | None"]
WAYS_BACK = "rip cs rflags rsp ss".split()  # what IRETQ reads, lowest address first


@dataclass
class Effect:
    """Writes are (address, bytes, value or None if it is not known), reads are (address, bytes,
    the register that then has the value)."""

    writes: list[tuple[int, int, int | None]] = field(default_factory=list)
    reads: list[tuple[int, int, str]] = field(default_factory=list)
    registers: Registers = field(default_factory=dict)  # what is known of them behind it
    targets: set[int] = field(default_factory=set)  # where it goes on, if that is known


_PARTS = {
    f"{prefix}{name}": (f"r{name}", size)
    for name in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")
    for prefix, size in (("r", 8), ("e", 4), ("", 2))
} | {
    f"r{number}{suffix}": (f"r{number}", size)
    for number in range(8, 16)
    for suffix, size in (("", 8), ("d", 4), ("w", 2), ("b", 1))
} | {f"{name}l": (f"r{name}x", 1) for name in "abcd"}


def part(name: str) -> tuple[str, int] | None:
    """The register that @name is a part of, and the part's size from its lowest byte on."""
    return _PARTS.get(name)


def value(name: str, registers: Registers) -> int | None:
    """The value of the register @name, which may be a part of one."""
    if name in registers:
        return registers[name]
    if found := part(name):
        return registers[found[0]] & ((1 << 8 * found[1]) - 1)
    return None


def address(insn: capstone.CsInsn, operand: x86.X86Op, registers: Registers) -> int | None:
    """Where a memory operand of @insn lies. FS and GS have the base 0."""
    found = operand.mem.disp
    for number, scale in ((operand.mem.base, 1), (operand.mem.index, operand.mem.scale)):
        if number == x86.X86_REG_RIP:
            found += insn.address + insn.size
        elif number:
            known = value(insn.reg_name(number), registers)
            if known is None:
                return None
            found += known * scale
    return found & MASK


def _stored(insn: capstone.CsInsn, registers: Registers, load: Load) -> int | None:
    """What `mov` or `push` stores: its last operand."""
    operand = insn.operands[-1]
    if operand.type == x86.X86_OP_IMM:
        return operand.imm
    if operand.type == x86.X86_OP_REG:
        return value(insn.reg_name(operand.reg), registers)
    at = address(insn, operand, registers)
    return None if at is None else load(at, operand.size)


def _stack(insn: capstone.CsInsn, before: Registers, effect: Effect, load: Load) -> bool:
    """PUSH, POP, CALL, RET and IRETQ of 64-bit code. Returns false for other instructions."""
    name, rsp = insn.mnemonic, before["rsp"]
    if name in ("push", "call", "pushfq"):
        value = {
            "push": lambda: _stored(insn, before, load),
            "call": lambda: insn.address + insn.size,
            "pushfq": lambda: before["rflags"] & ~(3 << 16),
        }[name]()
        masked = None if value is None else value & MASK
        effect.writes.append((rsp - SLOT & MASK, SLOT, masked))
        effect.registers["rsp"] = rsp - SLOT & MASK
    elif name in ("pop", "ret"):
        is_register = name == "pop" and insn.operands[0].type == x86.X86_OP_REG
        register = insn.reg_name(insn.operands[0].reg) if is_register else "rip"
        if is_register or name == "ret":
            effect.reads.append((rsp, SLOT, register))
        effect.registers["rsp"] = rsp + SLOT & MASK
    elif name == "iretq":
        effect.reads += [(rsp + SLOT * i & MASK, SLOT, slot) for i, slot in enumerate(WAYS_BACK)]
    else:
        return False
    return True


def _memory(insn: capstone.CsInsn, before: Registers, effect: Effect, load: Load) -> None:
    """Operands in memory."""
    for operand in insn.operands:
        if operand.type != x86.X86_OP_MEM or insn.mnemonic in ONLY_LOOK:
            continue
        at = address(insn, operand, before)
        if at is None:
            continue
        if operand.access & capstone.CS_AC_WRITE:
            stored = None
            if insn.mnemonic in ("mov", "movabs") and insn.operands[-1] is not operand:
                stored = _stored(insn, before, load)
            known = None if stored is None else stored & ((1 << 8 * operand.size) - 1)
            effect.writes.append((at, operand.size, known))
        elif insn.mnemonic in ("mov", "movabs") and operand.size == SLOT:
            effect.reads.append((at, SLOT, insn.reg_name(insn.operands[0].reg)))


def targets(insn: capstone.CsInsn) -> set[int]:
    """Where it goes on, of which a trap knows nothing; empty if it depends on a register."""
    # To Capstone, LOOP is a relative branch and no jump.
    jumps = any(map(insn.group, (CS_GRP_JUMP, CS_GRP_CALL, X86_GRP_BRANCH_RELATIVE)))
    if insn.mnemonic in ("ret", "iretq", "iretd", "retf", "retfq", "iret"):
        return set()
    if not jumps:
        return {insn.address + insn.size, insn.address}  # the latter if it repeats
    operand = insn.operands[0]
    found = {operand.imm & MASK} if operand.type == x86.X86_OP_IMM else set()
    is_conditional = insn.mnemonic not in ("jmp", "call", "ljmp", "lcall")
    return found | ({insn.address + insn.size} if is_conditional else set())


def effect(insn: capstone.CsInsn, before: Registers, load: Load) -> Effect:
    """Return what @insn does in 64-bit code in the state @before; @load(address, size) is what is
    known of memory."""
    found = Effect(targets=targets(insn))
    if not _stack(insn, before, found, load):
        _memory(insn, before, found, load)
    if len(found.targets - {insn.address}) == 1:
        found.registers["rip"] = next(iter(found.targets - {insn.address}))
    return found
