"""The instructions that stubs use and the emulator library does not know: the FS and GS base
instructions, XSAVE and XRSTOR, and AVX moves. SDM vol. 1, chapter 13; vol. 2."""

from __future__ import annotations

from capstone import x86

from lint.engine.cpu import Cpu
from lint.engine.disasm import Decoder, Instruction

# Offsets in an XSAVE area: SDM vol. 1, 13.4.1 and 13.4.2; AVX state in its standard place.
MXCSR_OFFSET = 24
XMM_OFFSET, XSTATE_BV_OFFSET, HEADER_END, YMM_OFFSET = 160, 512, 576, 576
XSAVE_ALIGN = 64
X87, SSE, AVX = 1 << 0, 1 << 1, 1 << 2
LOW = (1 << 128) - 1


class Misaligned(Exception):
    """The instruction raises #GP: its operand lies at the address given."""


def interpret(cpu: Cpu, decoder: Decoder, instruction: Instruction) -> bool:
    """Do what @instruction does; return whether it is one of those known here."""
    name = instruction.mnemonic
    if name in ("rdgsbase", "rdfsbase", "wrgsbase", "wrfsbase"):
        _base(cpu, instruction)
    elif name.startswith(("xsave", "xrstor")):
        _xstate(cpu, decoder, instruction)
    elif name in ("vzeroupper", "vzeroall"):
        keep = LOW if name == "vzeroupper" else 0
        cpu.set_vectors([value & keep for value in cpu.vectors()])
    else:
        return _move(cpu, decoder, instruction)
    return True


def _base(cpu: Cpu, instruction: Instruction) -> None:
    registers, rflags = cpu.registers()
    operand = instruction.detail.operands[0]
    name = instruction.detail.reg_name(operand.reg)
    is_gs = "gs" in instruction.mnemonic
    if instruction.mnemonic.startswith("rd"):
        registers[name] = cpu.gs if is_gs else cpu.fs()
        cpu.set_registers(registers, rflags)
    else:
        (cpu.set_active_gs if is_gs else cpu.set_fs)(registers[name])


def _address(cpu: Cpu, decoder: Decoder, instruction: Instruction, align: int) -> int:
    registers, _ = cpu.registers()
    address = decoder.memory_address(instruction, registers)
    if address % align:
        raise Misaligned(address)
    return address


def _xstate(cpu: Cpu, decoder: Decoder, instruction: Instruction) -> None:
    address = _address(cpu, decoder, instruction, XSAVE_ALIGN)
    mask = cpu.registers()[0]["rax"]
    values = cpu.vectors()
    if instruction.mnemonic.startswith("xsave"):
        if mask & SSE:
            low = b"".join((value & LOW).to_bytes(16, "little") for value in values)
            cpu.store(address + XMM_OFFSET, low)
        if mask & AVX:
            high = b"".join((value >> 128).to_bytes(16, "little") for value in values)
            cpu.store(address + YMM_OFFSET, high)
        mxcsr, control = cpu.fpu_control()
        if mask & X87:
            cpu.store(address, control.to_bytes(2, "little"))
        if mask & (SSE | AVX):
            cpu.store(address + MXCSR_OFFSET, mxcsr.to_bytes(4, "little"))
        cpu.store(address + XSTATE_BV_OFFSET, (mask & 7).to_bytes(8, "little"))
        return
    area = cpu.read(address, YMM_OFFSET + 256) or bytes(YMM_OFFSET + 256)
    for n in range(16):
        low, high = values[n] & LOW, values[n] >> 128
        if mask & SSE:
            at = XMM_OFFSET + 16 * n
            low = int.from_bytes(area[at : at + 16], "little")
        if mask & AVX:
            at = YMM_OFFSET + 16 * n
            high = int.from_bytes(area[at : at + 16], "little")
        values[n] = high << 128 | low
    cpu.set_vectors(values)
    mxcsr, control = cpu.fpu_control()
    if mask & X87:
        control = int.from_bytes(area[:2], "little")
    if mask & (SSE | AVX):
        mxcsr = int.from_bytes(area[MXCSR_OFFSET : MXCSR_OFFSET + 4], "little")
    cpu.set_fpu_control(mxcsr, control)


def _move(cpu: Cpu, decoder: Decoder, instruction: Instruction) -> bool:
    detail = instruction.detail
    target, source = detail.operands[:2]
    sizes = {"x": 16, "y": 32}
    names = [detail.reg_name(o.reg) for o in (target, source) if o.type == x86.X86_OP_REG]
    size = sizes.get(names[0][0])
    if size is None:
        return False  # AVX-512
    values = cpu.vectors()
    numbers = [int(name[3:]) for name in names]
    if max(numbers) > 15:
        return False
    aligned = instruction.mnemonic in ("vmovaps", "vmovapd", "vmovdqa")
    if target.type == x86.X86_OP_MEM:
        address = _address(cpu, decoder, instruction, size if aligned else 1)
        return cpu.store(address, values[numbers[0]].to_bytes(32, "little")[:size])
    if source.type == x86.X86_OP_MEM:
        address = _address(cpu, decoder, instruction, size if aligned else 1)
        values[numbers[0]] = int.from_bytes(cpu.read(address, size) or bytes(size), "little")
    else:
        values[numbers[0]] = values[numbers[1]] & ((1 << 8 * size) - 1)
    cpu.set_vectors(values)
    return True
