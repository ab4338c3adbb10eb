"""A kernel's own functions, run to see what they write: C and all, on a machine without devices,
whose memory is zero wherever the image says nothing."""

from __future__ import annotations

from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from lint.architecture import GATE_SIZE, PAGE_SIZE, REGISTERS, is_canonical
from lint.engine.binding import Engine, EngineError
from lint.engine.cpu import page_runs
from lint.engine.disasm import Decoder, Instruction, Kind
from lint.engine.values import OTHER_STACK, STACK_SIZE
from lint.load.image import Image

BUDGET = 60_000  # instructions of one function and all that it calls
WHOLE_BUDGET = 400_000  # of all functions
STOP = 50  # instructions that a stop of the engine costs: some functions wait for a device
MOST_PAGES = 2048  # that are added for what lies outside of the image
BY_THE_CPU = (Kind.PLAIN, Kind.CALL, Kind.JUMP, Kind.STACK_LOAD, Kind.ALIGNED)
LAST = (Kind.HALT, Kind.SYSRET, Kind.IRET32)

RSP, RAX, RIP = x86.UC_X86_REG_RSP, x86.UC_X86_REG_RAX, x86.UC_X86_REG_RIP
NO_FETCH = (uc.UC_ERR_FETCH_UNMAPPED, uc.UC_ERR_FETCH_PROT)
TOP = OTHER_STACK + STACK_SIZE // 2
BACK = 0xFFFF9DFFFFFFF000  # where the function returns to: no memory is there


class Boot:
    """A machine on which functions run one after the other, each on the memory that the one before
    has left."""

    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder
        self._engine = Engine()
        self._mapped: set[int] = set()
        self._added = 0
        self._stopped: int | None = None  # before this instruction
        self._missing: int | None = None  # no memory was here
        self._all_left = WHOLE_BUDGET
        self._plain: set[int] = set()
        for segment in image.segments:
            self._map(segment.address, segment.end)
            self._engine.write(segment.address, bytes(segment.data))
        self._map(OTHER_STACK, OTHER_STACK + STACK_SIZE)
        general = [getattr(x86, f"UC_X86_REG_{name.upper()}") for name in REGISTERS]
        self._general = self._engine.registers(general, 8)
        self._engine.on_instruction(self._on_instruction)
        self._engine.on_unmapped(self._on_unmapped)

    def read(self, address: int, size: int) -> bytes | None:
        """Return memory as it is now, None where there is none."""
        try:
            return self._engine.read(address, size)
        except EngineError:
            return None

    def run(self, function: int) -> dict[int, int]:
        """Run @function with zeros for arguments until it returns, or cannot go on. Return the
        IDTs that it has loaded: their sizes by their addresses."""
        self._tables: dict[int, int] = {}
        self._left = min(BUDGET, self._all_left)
        self._all_left -= self._left
        self._general.write([TOP - 8 if name == "rsp" else 0 for name in REGISTERS])
        self._engine.write(TOP - 8, BACK.to_bytes(8, "little"))
        at: int | None = function
        while at is not None and self._left > 0:
            at = self._go_on(at)
        self._all_left += self._left
        return self._tables

    def _go_on(self, address: int) -> int | None:
        """Run from @address to what the CPU shall not do itself, and do that. Return where to go
        on, or None."""
        self._stopped = self._missing = None
        try:
            self._engine.run(address)
        except EngineError as error:
            if error.number not in NO_FETCH:
                return None
            self._stopped = self._missing
        if self._stopped is None and self._engine.register(RIP) == 0:
            self._stopped = 0  # where the library ends a run without a word
        if self._stopped in (None, BACK) or self._left <= 0:
            return None
        if not self._image.is_code(self._stopped):
            return self._return(0)  # from a function that is not there
        self._left -= STOP
        instruction = self._decoder.at(self._stopped)
        return self._do(instruction) if instruction is not None else None

    def _on_instruction(self, address: int) -> None:
        self._left -= 1
        if self._left > 0 and (address in self._plain or self._runs(address)):
            self._plain.add(address)
            return
        self._stopped = address
        self._engine.stop()

    def _runs(self, address: int) -> bool:
        """Whether the CPU itself shall execute what is at @address."""
        instruction = self._decoder.at(address) if self._image.is_code(address) else None
        if instruction is None:
            return False
        near = instruction.kind is Kind.RETURN and instruction.mnemonic.endswith("ret")
        return near or instruction.kind in BY_THE_CPU

    def _on_unmapped(self, address: int, size: int, is_fetch: bool) -> bool:
        self._missing = address
        if is_fetch or not is_canonical(address) or self._added > MOST_PAGES:
            return False
        self._map(address, address + size)
        self._added += 1
        return True

    def _map(self, start: int, end: int) -> None:
        """See that there is memory from @start to @end."""
        pages = range(start // PAGE_SIZE, (end - 1) // PAGE_SIZE + 1)
        new = [page for page in pages if page not in self._mapped]
        for first, count in page_runs(new):
            self._engine.map(first * PAGE_SIZE, count * PAGE_SIZE)
        self._mapped.update(new)

    def _do(self, instruction: Instruction) -> int | None:
        """Do what @instruction would, as far as the way to an IDT needs it; return where to go
        on, or None if nothing follows."""
        name = instruction.mnemonic
        if instruction.kind in LAST or name.startswith("ud"):
            return None
        if instruction.kind is Kind.IRETQ:
            return self._far_return(40)
        if instruction.kind is Kind.RETURN:
            return self._far_return(16)
        if name == "lidt":
            self._note(instruction)
        elif instruction.kind is Kind.INPUT:
            self._engine.set_register(RAX, self._engine.register(RAX) ^ 0xFF)
        elif instruction.kind is Kind.SEGMENT_LOAD and name == "pop":
            self._engine.set_register(RSP, self._engine.register(RSP) + 8)
        return instruction.end

    def _note(self, lidt: Instruction) -> None:
        registers = dict(zip(REGISTERS, self._general.read()))
        pointer = self.read(self._decoder.memory_address(lidt, registers), 10) or b""
        limit, base = (int.from_bytes(part, "little") for part in (pointer[:2], pointer[2:]))
        if limit >= GATE_SIZE - 1 and is_canonical(base):
            self._tables[base] = limit + 1

    def _return(self, value: int) -> int | None:
        """Return @value to where the word at RSP says."""
        self._engine.set_register(RAX, value)
        return self._far_return(8)

    def _far_return(self, size: int) -> int | None:
        """Take @size bytes off the stack, of which RIP is the first, and of five RSP the fourth."""
        rsp = self._engine.register(RSP)
        words = self.read(rsp, size)
        if words is None:
            return None
        onward = int.from_bytes(words[24:32], "little") if size == 40 else rsp + size
        self._engine.set_register(RSP, onward)
        return int.from_bytes(words[:8], "little")
