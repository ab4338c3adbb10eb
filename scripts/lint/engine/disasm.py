"""Decoding instructions: what each does to control flow and to the state that the contract is
about. Every address is decoded once."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import Enum, auto

import capstone
from capstone import x86

from lint.load.image import Image

LONGEST = 15  # bytes of an instruction
FROM_RIP = re.compile(r"\[rip [+-] [^\]]*\]")


class Kind(Enum):
    """Why the emulator must stop before an instruction; PLAIN ones just run."""

    PLAIN = auto()
    CALL = auto()
    JUMP = auto()  # through a register or memory
    RETURN = auto()
    IRETQ = auto()
    IRET32 = auto()
    SYSRET = auto()
    HALT = auto()
    TRAP = auto()  # INT n, INT3, UD2, SYSCALL
    SEGMENT_LOAD = auto()
    SWAPGS = auto()
    STACK_LOAD = auto()  # RSP gets a new value
    STI = auto()
    INPUT = auto()
    SYSTEM = auto()  # changes what the emulated machine does not have: control registers, ports
    INTERPRETED = auto()  # the emulator library does not know it, interpret.py does
    ALIGNED = auto()  # its memory operand must be aligned, which the library does not check


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction."""

    address: int
    size: int
    text: str
    mnemonic: str
    kind: Kind
    detail: capstone.CsInsn

    @property
    def end(self) -> int:
        return self.address + self.size


BY_NAME = {
    "call": Kind.CALL, "ret": Kind.RETURN, "retf": Kind.RETURN, "retfq": Kind.RETURN,
    "iretq": Kind.IRETQ, "iretd": Kind.IRET32, "iret": Kind.IRET32, "sysret": Kind.SYSRET,
    "sysretq": Kind.SYSRET, "sysexit": Kind.SYSRET, "hlt": Kind.HALT, "swapgs": Kind.SWAPGS,
    "sti": Kind.STI, "lcall": Kind.TRAP,
}  # fmt: skip
TRAPS = {"int", "int1", "int3", "into", "ud0", "ud1", "ud2", "syscall", "sysenter"}
PORT_INPUT = {"in", "insb", "insd", "insw"}
SYSTEM = {
    "out", "outsb", "outsd", "outsw", "lgdt", "lidt", "lldt", "ltr", "lmsw", "clts", "wbinvd",
    "invd", "invlpg", "invpcid", "verr", "verw", "str", "sldt", "sgdt", "sidt", "xsetbv", "wrpkru",
    "monitor", "mwait", "rdpmc", "incsspq", "setssbsy", "wrssq", "saveprevssp", "rstorssp",
}  # fmt: skip
INTERPRETED = {
    "rdgsbase", "wrgsbase", "rdfsbase", "wrfsbase",
    "xsave", "xsave64", "xsaveopt", "xsaveopt64", "xsavec", "xsavec64", "xsaves", "xsaves64",
    "xrstor", "xrstor64", "xrstors", "xrstors64",
    "vmovups", "vmovaps", "vmovdqu", "vmovdqa", "vmovupd", "vmovapd", "vzeroupper", "vzeroall",
}  # fmt: skip
ALIGNED = {"movaps": 16, "movapd": 16, "movdqa": 16, "movntps": 16, "movntdq": 16}

# Older libraries take the first for a NOP, and do not know the second.
CET = {
    b"\xf3\x0f\x1e\xfa": ("endbr64", "endbr64", Kind.PLAIN),
    b"\xf3\x0f\x01\xe8": ("setssbsy", "setssbsy", Kind.SYSTEM),
}

# What moves RSP by a constant, or not at all, is no new value.
KEEPS_STACK = {"push", "pop", "call", "ret", "pushfq", "popfq", "enter", "cmp", "test", "bt"}


_CAPSTONE = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
_CAPSTONE.detail = True


# Images that are linted one after the other, as by the tests, have most of their code in common.
@functools.lru_cache(maxsize=1 << 15)
def _decode(address: int, data: bytes | None) -> Instruction | None:
    """Return the instruction that @data, which lies at @address, begins with."""
    if not data:
        return None
    if data[:4] in CET:
        detail = next(_CAPSTONE.disasm(data[:4], address), None)
        return Instruction(address, 4, *CET[data[:4]], detail)
    detail = next(_CAPSTONE.disasm(data, address, 1), None)
    if detail is None:
        return None
    text = f"{detail.mnemonic:<8}{detail.op_str}".rstrip()
    return Instruction(address, detail.size, text, detail.mnemonic, classify(detail), detail)


class Decoder:
    """Decodes the instructions of an image."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._cache: dict[int, Instruction | None] = {}

    def at(self, address: int) -> Instruction | None:
        """Return the instruction at @address, None if there is none."""
        if address not in self._cache:
            self._cache[address] = _decode(address, self._image.read(address, LONGEST))
        return self._cache[address]

    def words(self, instruction: Instruction) -> str:
        """Return @instruction in a line, with the variable's name in the place of its distance."""
        line = " ".join(instruction.text.split())
        return FROM_RIP.sub(
            lambda match: f"[{self._image.describe(self.memory_address(instruction, {}))}]", line
        )

    def target(self, instruction: Instruction) -> int | None:
        """Return the constant target of a call or jump, None if it has none."""
        operands = instruction.detail.operands
        if operands and operands[0].type == x86.X86_OP_IMM:
            return operands[0].imm % (1 << 64)
        return None

    def memory_address(self, instruction: Instruction, registers: dict[str, int]) -> int | None:
        """Return the address of the memory operand, given @registers; FS and GS are left out."""
        for operand in instruction.detail.operands:
            if operand.type == x86.X86_OP_MEM:
                memory, name = operand.mem, instruction.detail.reg_name
                address = memory.disp
                if memory.base == x86.X86_REG_RIP:
                    address += instruction.end
                elif memory.base:
                    address += registers.get(name(memory.base), 0)
                if memory.index:
                    address += registers.get(name(memory.index), 0) * memory.scale
                return address % (1 << 64)
        return None


def classify(detail: capstone.CsInsn) -> Kind:
    """Return the kind of a decoded instruction."""
    name = detail.mnemonic.split()[-1]  # without rep, lock, bnd or notrack
    if name in BY_NAME:
        return BY_NAME[name]
    if name in TRAPS:
        return Kind.TRAP
    if name in PORT_INPUT:
        return Kind.INPUT
    if name in INTERPRETED:
        return Kind.INTERPRETED
    if name in SYSTEM or _moves_control_register(detail):
        return Kind.SYSTEM
    if detail.group(x86.X86_GRP_JUMP) and detail.operands[0].type != x86.X86_OP_IMM:
        return Kind.JUMP
    if _loads_segment(detail):
        return Kind.SEGMENT_LOAD
    if name in ALIGNED and any(o.type == x86.X86_OP_MEM for o in detail.operands):
        return Kind.ALIGNED
    return Kind.STACK_LOAD if _loads_stack(detail, name) else Kind.PLAIN


def _moves_control_register(detail: capstone.CsInsn) -> bool:
    """Whether a control or debug register is written, or CR2 or CR3 is read."""
    if detail.mnemonic != "mov" or any(o.type != x86.X86_OP_REG for o in detail.operands):
        return False
    target, source = (detail.reg_name(operand.reg) for operand in detail.operands)
    return target[:2] in ("cr", "dr") or source in ("cr2", "cr3")


def _loads_segment(detail: capstone.CsInsn) -> bool:
    if detail.mnemonic not in ("mov", "pop", "lss", "lfs", "lgs") or not detail.operands:
        return False
    first = detail.operands[0]
    return first.type == x86.X86_OP_REG and detail.reg_name(first.reg) in (
        "ds", "es", "fs", "gs", "ss",
    )  # fmt: skip


def _loads_stack(detail: capstone.CsInsn, name: str) -> bool:
    if name == "leave":
        return True
    operands = detail.operands
    if name == "xchg":
        return any(o.type == x86.X86_OP_REG and o.reg == x86.X86_REG_RSP for o in operands)
    if not operands or operands[0].type != x86.X86_OP_REG or operands[0].reg != x86.X86_REG_RSP:
        return False
    if name in KEEPS_STACK and name != "pop":
        return False
    if name in ("add", "sub", "and", "or"):
        return operands[1].type != x86.X86_OP_IMM
    if name == "lea":
        return operands[1].mem.base != x86.X86_REG_RSP
    return True
