"""What a kernel writes into the registers of SYSCALL and SYSENTER. Whoever writes one has its
number in an instruction: the code around that is run, and the register read afterwards."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

from lint.architecture import (
    GENERAL,
    MSR_EFER,
    MSR_LSTAR,
    MSR_SFMASK,
    MSR_STAR,
    MSR_SYSENTER_EIP,
    RFLAGS_FIXED,
)
from lint.engine.cpu import Cpu
from lint.engine.disasm import Decoder, Instruction, Kind
from lint.engine.interpret import Misaligned, interpret
from lint.engine.values import KERNEL_GS, STACK_BASE, STACK_SIZE, USER_GS
from lint.load.image import Image

SOUGHT = (MSR_STAR, MSR_LSTAR, MSR_SFMASK, MSR_SYSENTER_EIP)
BUDGET, STOPS = 20000, 2000  # instructions, and those of them that need a look
MOST_STARTS = 4  # places that name a register, and that call such a place

# A register that still holds this has not been written.
UNWRITTEN = 0x5A5A5A5A5A5A5A5A

CALL = b"\xe8"
TO_RUN = (Kind.JUMP, Kind.RETURN, Kind.STACK_LOAD, Kind.ALIGNED)
TO_SKIP = (Kind.SYSTEM, Kind.STI, Kind.SWAPGS, Kind.INPUT)


class Initialiser:
    """Runs what sets up system calls."""

    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder
        self._cpu: Cpu | None = None  # which takes memory: most kernels need none
        self._written: dict[int, dict[int, int]] = {}

    def msrs(self) -> dict[int, int]:
        """Return the registers that are written with constants."""
        found = {}
        for number in SOUGHT:
            for start in self._starts(number):
                value = self._after(start).get(number)
                if value is not None and self._is_plausible(number, value):
                    found[number] = value
                    break
        return found

    def _is_plausible(self, number: int, value: int) -> bool:
        return number not in (MSR_LSTAR, MSR_SYSENTER_EIP) or self._image.is_code(value)

    def _starts(self, number: int) -> Iterator[int]:
        """Yield where to start so that register @number is written: in the functions that name
        it, at the very instruction, and in those that call these functions."""
        load_immediate = rb"[\xb8-\xbf]" + re.escape(number.to_bytes(4, "little"))
        places = list(self._find(load_immediate))[:MOST_STARTS]
        functions = [start for place in places for start in self._functions(place)]
        yield from dict.fromkeys([*functions, *places])
        if functions:
            calls = itertools.islice(self._calls_of(set(functions)), MOST_STARTS)
            yield from dict.fromkeys(start for at in calls for start in self._functions(at))

    def _find(self, pattern: bytes) -> Iterator[int]:
        for segment in self._image.code():
            for match in re.finditer(pattern, bytes(segment.data), re.DOTALL):
                yield segment.address + match.start()

    def _functions(self, address: int) -> Iterator[int]:
        """Yield the start of the function at @address; a label inside of it has a dot."""
        symbol = self._image.symbol_at(address)
        while symbol is not None and "." in symbol.name and not symbol.is_function:
            symbol = self._image.symbol_at(symbol.address - 1)
        if symbol is not None:
            yield symbol.address

    def _calls_of(self, functions: set[int]) -> Iterator[int]:
        for at in self._find(re.escape(CALL)):
            data = self._image.read(at + 1, 4)
            if data and at + 5 + int.from_bytes(data, "little", signed=True) in functions:
                yield at

    def _after(self, start: int) -> dict[int, int]:
        """Return what has been written after a run from @start, as far as it does not depend on
        what was in the registers before."""
        if start not in self._written:
            one, other = self._run(start, seed=1), self._run(start, seed=2)
            self._written[start] = {n: v for n, v in one.items() if other.get(n) == v}
        return self._written[start]

    def _run(self, start: int, seed: int) -> dict[int, int]:
        if self._cpu is None:
            self._cpu = Cpu(self._image, self._decoder, BUDGET)
        cpu, rng = self._cpu, random.Random(seed)
        efer = cpu.msr(MSR_EFER)
        cpu.reset()
        cpu.write(STACK_BASE, bytes(STACK_SIZE))
        registers = {name: rng.getrandbits(47) for name in GENERAL}
        cpu.set_registers({**registers, "rsp": STACK_BASE + STACK_SIZE - 0x108}, RFLAGS_FIXED)
        cpu.set_gs(KERNEL_GS, USER_GS)
        for number in SOUGHT:
            cpu.set_msr(number, UNWRITTEN)
        address, itself = start, False
        for _ in range(STOPS):
            if address is None or cpu.run(address, itself) is not None:
                break
            address, itself = self._onward(self._decoder.at(cpu.stopped_at))
        cpu.set_msr(MSR_EFER, efer)
        values = {number: cpu.msr(number) for number in SOUGHT}
        # That of SYSENTER is 64 bits wide, but the library keeps the low 32.
        return {n: v for n, v in values.items() if v not in (UNWRITTEN, UNWRITTEN & 0xFFFFFFFF)}

    def _onward(self, instruction: Instruction | None) -> tuple[int | None, bool]:
        """Return where to go on from @instruction, and whether the CPU executes it."""
        if instruction is None:
            return None, False
        kind = instruction.kind
        if kind is Kind.CALL:
            target = self._decoder.target(instruction)
            if target is not None and self._image.is_code(target):
                return instruction.address, True
            return instruction.end, False
        if kind in TO_RUN:
            return instruction.address, True
        if kind in TO_SKIP or kind is Kind.SEGMENT_LOAD and instruction.mnemonic == "mov":
            return instruction.end, False
        if kind is Kind.INTERPRETED:
            try:
                known = interpret(self._cpu, self._decoder, instruction)
            except Misaligned:
                known = False
            return instruction.end if known else None, False
        return None, False
