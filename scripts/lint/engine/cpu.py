"""The emulated CPU: the engine's registers and memory, and the hooks that record what a stub
does. It stops before every instruction that run.py must look at."""

from __future__ import annotations

from collections.abc import Callable

from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from lint.architecture import (
    MSR_GS_BASE,
    MSR_KERNEL_GS_BASE,
    PAGE_SIZE,
    REGISTERS,
    is_canonical,
)
from lint.engine.binding import Engine, EngineError
from lint.engine.disasm import Decoder, Kind
from lint.engine.trace import Write
from lint.engine.values import KERNEL_GS, OTHER_STACK, STACK_BASE, STACK_SIZE, USER_GS
from lint.load.image import Image

# A stub that has not returned after so many instructions is waiting for something.
BUDGET = 4000

USER_END = 1 << 47

CR4_OSFXSR = 1 << 9  # without it FXSAVE and FXRSTOR leave MXCSR out: SDM vol. 3, 2.5


class Cpu:
    """A CPU with the memory of one kernel."""

    def __init__(self, image: Image, decoder: Decoder, budget: int = BUDGET) -> None:
        self._image = image
        self._budget = budget
        self._decoder = decoder
        self._engine = Engine()
        cr4 = self._engine.register(x86.UC_X86_REG_CR4)
        self._engine.set_register(x86.UC_X86_REG_CR4, cr4 | CR4_OSFXSR)
        self._mapped: set[int] = set()
        self._temporary: list[int] = []
        self._undo: list[tuple[int, bytes]] = []
        self._other = (OTHER_STACK + STACK_SIZE // 2).to_bytes(8, "little") * (PAGE_SIZE // 8)
        self._plain: set[int] = set()
        self._resumed = 0
        self.stopped_at: int | None = None
        self.watch: Callable[[int], None] | None = None  # is told of every instruction
        self.bad_address: int | None = None
        self.path: list[int] = []
        self.writes: list[Write] = []
        self.user_accesses: list[tuple[int, int]] = []
        self._map_memory()
        self._name_registers()
        self._hook()

    def _map_memory(self) -> None:
        for segment in self._image.segments:
            first = segment.address // PAGE_SIZE
            last = (segment.end - 1) // PAGE_SIZE
            new = [page for page in range(first, last + 1) if page not in self._mapped]
            for start, count in page_runs(new):
                self._engine.map(start * PAGE_SIZE, count * PAGE_SIZE)
            self._mapped.update(new)
            self._engine.write(segment.address, bytes(segment.data))
        self._map_pages(STACK_BASE, bytes(STACK_SIZE))
        for base in (OTHER_STACK, KERNEL_GS):
            self._map_pages(base, self._other * (STACK_SIZE // PAGE_SIZE))

    def _map_pages(self, address: int, data: bytes) -> None:
        first = address // PAGE_SIZE
        self._mapped.update(range(first, first + len(data) // PAGE_SIZE))
        self._engine.map(address, len(data))
        self._engine.write(address, data)

    def _name_registers(self) -> None:
        general = [getattr(x86, f"UC_X86_REG_{name.upper()}") for name in REGISTERS]
        # The 256-bit names, so that the upper halves are defined as well.
        vectors = [getattr(x86, f"UC_X86_REG_YMM{number}") for number in range(16)]
        self._general = self._engine.registers(general + [x86.UC_X86_REG_EFLAGS], 8)
        self._vectors = self._engine.registers(vectors, 32)

    def _hook(self) -> None:
        self._engine.on_instruction(self._on_instruction)
        self._engine.on_write(self._on_write)
        self._engine.on_unmapped(self._on_unmapped)

    def reset(self) -> None:
        """Undo what the run before has left in memory, and forget what it did."""
        for address, data in reversed(self._undo):
            self._engine.write(address, data)
        for page in self._temporary:
            self._engine.unmap(page * PAGE_SIZE, PAGE_SIZE)
            self._mapped.discard(page)
        self._undo, self._temporary = [], []
        self.path, self.writes, self.user_accesses = [], [], []
        self._resumed = 0

    def run(self, address: int, over_stop: bool = False) -> str | None:
        """Run from @address to the next instruction that is not plain, which stopped_at then
        names; with @over_stop execute the one at @address first. Return None, or why the CPU
        could not go on."""
        self._resumed = address if over_stop else 0
        self.stopped_at = self.bad_address = None
        try:
            self._engine.run(address)
        except EngineError as error:
            return self._why(error.number)
        if self.stopped_at is None:
            # The library ends some exceptions without a word; HLT would have been a stop.
            return "budget" if len(self.path) >= self._budget else "exception"
        return None

    def _why(self, number: int) -> str:
        if number in (uc.UC_ERR_FETCH_UNMAPPED, uc.UC_ERR_FETCH_PROT):
            return "lost"
        if number == uc.UC_ERR_INSN_INVALID:
            return "invalid"
        if number == uc.UC_ERR_EXCEPTION:
            return "exception"
        return "wild"

    def _on_instruction(self, address: int) -> None:
        if address not in self._plain and address != self._resumed:
            instruction = self._decoder.at(address)
            if instruction is None or instruction.kind is not Kind.PLAIN:
                self.stopped_at = address
                self._engine.stop()
                return
            self._plain.add(address)
        self._resumed = 0
        if self.watch is not None:
            self.watch(address)
        self.path.append(address)
        if len(self.path) >= self._budget:
            self._engine.stop()

    def _on_write(self, address: int, size: int, value: int) -> None:
        on_stack = STACK_BASE <= address < STACK_BASE + STACK_SIZE
        if not on_stack and address // PAGE_SIZE in self._mapped:  # else the next hook's business
            self._undo.append((address, self._engine.read(address, size)))
        self.writes.append(
            Write(
                self.path[-1] if self.path else 0,
                len(self.path),
                address,
                size,
                value % (1 << (8 * size)),
                self._engine.register(x86.UC_X86_REG_RSP),
            )
        )

    def _on_unmapped(self, address: int, size: int, is_fetch: bool) -> bool:
        self.bad_address = address
        if not is_canonical(address):
            return False
        if is_fetch and not self._image.is_code(address):
            return False
        for page in {address // PAGE_SIZE, (address + size - 1) // PAGE_SIZE}:
            if page in self._mapped:
                continue
            self._map_pages(page * PAGE_SIZE, self._content(page * PAGE_SIZE))
            if page * PAGE_SIZE < USER_END:
                self._temporary.append(page)
        if self._is_user(address):
            self.user_accesses.append((self.path[-1] if self.path else 0, address))
        return True

    def _content(self, address: int) -> bytes:
        """Return what is in a page of which no segment says it: zeros where variables of other
        files are, else pointers."""
        if any(address <= extern < address + PAGE_SIZE for extern in self._image.externs):
            return bytes(PAGE_SIZE)
        return self._image.page(address) or self._other

    @staticmethod
    def _is_user(address: int) -> bool:
        return USER_GS <= address < USER_GS + STACK_SIZE

    def registers(self) -> tuple[dict[str, int], int]:
        """Return the general registers by name, and RFLAGS."""
        values = self._general.read()
        return dict(zip(REGISTERS, values)), values[-1]

    def set_registers(self, registers: dict[str, int], rflags: int) -> None:
        """Set all general registers and RFLAGS."""
        self._general.write([registers[name] for name in REGISTERS] + [rflags])

    def vectors(self) -> list[int]:
        """Return YMM0 to YMM15."""
        return self._vectors.read()

    def set_vectors(self, values: list[int]) -> None:
        """Set YMM0 to YMM15."""
        self._vectors.write(values)

    def read(self, address: int, size: int) -> bytes | None:
        """Return memory, None where there is none."""
        try:
            return self._engine.read(address, size)
        except EngineError:
            return None

    def read_int(self, address: int) -> int | None:
        """Return the eight bytes at @address as a number."""
        data = self.read(address, 8)
        return None if data is None else int.from_bytes(data, "little")

    def write(self, address: int, data: bytes) -> None:
        """Write stack memory that reset() need not undo."""
        self._engine.write(address, data)

    def store(self, address: int, data: bytes) -> bool:
        """Write memory on behalf of an instruction; return whether there is any."""
        before = self.read(address, len(data))
        if before is None:
            return False
        self._undo.append((address, before))
        self._engine.write(address, data)
        return True

    def msr(self, number: int) -> int:
        """Return a model-specific register."""
        return self._engine.msr(number)

    def set_msr(self, number: int, value: int) -> None:
        """Set a model-specific register."""
        self._engine.set_msr(number, value)

    @property
    def gs(self) -> int:
        return self._engine.msr(MSR_GS_BASE)

    def set_gs(self, active: int, other: int) -> None:
        """Set the GS base in use, and the one that SWAPGS would bring."""
        self._engine.set_msr(MSR_GS_BASE, active)
        self._engine.set_msr(MSR_KERNEL_GS_BASE, other)

    def set_active_gs(self, base: int) -> None:
        """Set the GS base in use."""
        self._engine.set_msr(MSR_GS_BASE, base)

    def fpu_control(self) -> tuple[int, int]:
        """Return MXCSR and the x87 control word."""
        engine = self._engine
        return engine.register(x86.UC_X86_REG_MXCSR), engine.register(x86.UC_X86_REG_FPCW)

    def set_fpu_control(self, mxcsr: int, control: int) -> None:
        """Set MXCSR and the x87 control word."""
        self._engine.set_register(x86.UC_X86_REG_MXCSR, mxcsr)
        self._engine.set_register(x86.UC_X86_REG_FPCW, control)

    def set_fs(self, base: int) -> None:
        """Set the FS base."""
        self._engine.set_register(x86.UC_X86_REG_FS_BASE, base)

    def fs(self) -> int:
        """Return the FS base."""
        return self._engine.register(x86.UC_X86_REG_FS_BASE)


def page_runs(pages: list[int]) -> list[tuple[int, int]]:
    """Return the runs of consecutive numbers in sorted @pages as (first, count)."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][0] + runs[-1][1] == page:
            runs[-1][1] += 1
        else:
            runs.append([page, 1])
    return [(start, count) for start, count in runs]
