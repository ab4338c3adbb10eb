"""The emulated CPU: the library's registers and memory, and the hooks that record what a stub
does. It stops before every instruction that lint/run.py must look at."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import unicorn
from unicorn import unicorn as binding
from unicorn import x86_const as uc

from lint.architecture import (
    MSR_GS_BASE,
    MSR_KERNEL_GS_BASE,
    PAGE_SIZE,
    REGISTERS,
    is_canonical,
)
from lint.disasm import Decoder, Kind
from lint.image import Image
from lint.trace import Write
from lint.values import KERNEL_GS, OTHER_STACK, STACK_BASE, STACK_SIZE, USER_GS

# A stub that has not returned after so many instructions is waiting for something.
BUDGET = 4000

USER_END = 1 << 47

# The Python binding truncates XMM8 to XMM15, and reads one register a call: use the C functions.
_LIBRARY = binding._uc


class _Batch:
    """A set of registers that is read or written by one call."""

    def __init__(self, engine: unicorn.Uc, ids: list[int], size: int) -> None:
        self._handle = engine._uch
        self._count = len(ids)
        self._size = size
        self._ids = (ctypes.c_int * self._count)(*ids)
        self._buffer = ctypes.create_string_buffer(self._count * size)
        base = ctypes.addressof(self._buffer)
        self._pointers = (ctypes.c_void_p * self._count)(
            *(base + index * size for index in range(self._count))
        )

    def read(self) -> list[int]:
        _LIBRARY.uc_reg_read_batch(self._handle, self._ids, self._pointers, self._count)
        data, size = self._buffer.raw, self._size
        return [
            int.from_bytes(data[at : at + size], "little")
            for at in range(0, self._count * size, size)
        ]

    def write(self, values: list[int]) -> None:
        data = b"".join(value.to_bytes(self._size, "little") for value in values)
        ctypes.memmove(self._buffer, data, len(data))
        _LIBRARY.uc_reg_write_batch(self._handle, self._ids, self._pointers, self._count)


class Cpu:
    """A CPU with the memory of one kernel."""

    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder
        self._engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
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
        self._make_batches()
        self._hook()

    def _map_memory(self) -> None:
        for segment in self._image.segments:
            first = segment.address // PAGE_SIZE
            last = (segment.end - 1) // PAGE_SIZE
            new = [page for page in range(first, last + 1) if page not in self._mapped]
            for start, count in _runs(new):
                self._engine.mem_map(start * PAGE_SIZE, count * PAGE_SIZE)
            self._mapped.update(new)
            self._engine.mem_write(segment.address, bytes(segment.data))
        for page in range(STACK_BASE // PAGE_SIZE, (STACK_BASE + STACK_SIZE) // PAGE_SIZE):
            self._map_page(page, bytes(PAGE_SIZE))
        for base in (OTHER_STACK, KERNEL_GS):
            for offset in range(0, STACK_SIZE, PAGE_SIZE):
                self._map_page((base + offset) // PAGE_SIZE, self._other)

    def _map_page(self, page: int, data: bytes) -> None:
        self._mapped.add(page)
        self._engine.mem_map(page * PAGE_SIZE, PAGE_SIZE)
        self._engine.mem_write(page * PAGE_SIZE, data)

    def _make_batches(self) -> None:
        ids = [getattr(uc, f"UC_X86_REG_{name.upper()}") for name in REGISTERS]
        self._general = _Batch(self._engine, ids + [uc.UC_X86_REG_EFLAGS], 8)
        self._stack_pointer = _Batch(self._engine, [uc.UC_X86_REG_RSP], 8)
        # The 256-bit names, so that the upper halves are defined as well.
        self._vectors = _Batch(
            self._engine, [getattr(uc, f"UC_X86_REG_YMM{n}") for n in range(16)], 32
        )

    def _hook(self) -> None:
        engine = self._engine
        engine.hook_add(unicorn.UC_HOOK_CODE, self._on_instruction)
        engine.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._on_write)
        engine.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._on_unmapped)

    def reset(self) -> None:
        """Undo what the run before has left in memory, and forget what it did."""
        for address, data in reversed(self._undo):
            self._engine.mem_write(address, data)
        for page in self._temporary:
            self._engine.mem_unmap(page * PAGE_SIZE, PAGE_SIZE)
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
            self._engine.emu_start(address, 0)
        except unicorn.UcError as error:
            return self._why(error.errno)
        if self.stopped_at is None:
            # The library ends some exceptions without a word; HLT would have been a stop.
            return "budget" if len(self.path) >= BUDGET else "exception"
        return None

    def _why(self, number: int) -> str:
        if number in (unicorn.UC_ERR_FETCH_UNMAPPED, unicorn.UC_ERR_FETCH_PROT):
            return "lost"
        if number == unicorn.UC_ERR_INSN_INVALID:
            return "invalid"
        if number == unicorn.UC_ERR_EXCEPTION:
            return "exception"
        return "wild"

    def _on_instruction(self, _engine: object, address: int, _size: int, _data: object) -> None:
        if address not in self._plain and address != self._resumed:
            instruction = self._decoder.at(address)
            if instruction is None or instruction.kind is not Kind.PLAIN:
                self.stopped_at = address
                self._engine.emu_stop()
                return
            self._plain.add(address)
        self._resumed = 0
        if self.watch is not None:
            self.watch(address)
        self.path.append(address)
        if len(self.path) >= BUDGET:
            self._engine.emu_stop()

    def _on_write(
        self, _engine: object, _access: int, address: int, size: int, value: int, _data: object
    ) -> None:
        if not STACK_BASE <= address < STACK_BASE + STACK_SIZE:
            if address // PAGE_SIZE not in self._mapped:
                return  # the next hook's business
            self._undo.append((address, bytes(self._engine.mem_read(address, size))))
        self.writes.append(
            Write(
                self.path[-1] if self.path else 0,
                len(self.path),
                address,
                size,
                value % (1 << (8 * size)),
                self._stack_pointer.read()[0],
            )
        )

    def _on_unmapped(
        self, _engine: object, access: int, address: int, size: int, _value: int, _data: object
    ) -> bool:
        self.bad_address = address % (1 << 64)
        fetch = access == unicorn.UC_MEM_FETCH_UNMAPPED
        if not is_canonical(self.bad_address):
            return False
        if fetch and not self._image.is_code(self.bad_address):
            return False
        for page in {address // PAGE_SIZE, (address + size - 1) // PAGE_SIZE}:
            if page in self._mapped:
                continue
            self._map_page(page, self._image.page(page * PAGE_SIZE) or self._other)
            if page * PAGE_SIZE < USER_END:
                self._temporary.append(page)
        if self._is_user(address):
            self.user_accesses.append((self.path[-1] if self.path else 0, address))
        return True

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
            return bytes(self._engine.mem_read(address, size))
        except unicorn.UcError:
            return None

    def read_int(self, address: int) -> int | None:
        """Return the eight bytes at @address as a number."""
        data = self.read(address, 8)
        return None if data is None else int.from_bytes(data, "little")

    def write(self, address: int, data: bytes) -> None:
        """Write stack memory that reset() need not undo."""
        self._engine.mem_write(address, data)

    def store(self, address: int, data: bytes) -> bool:
        """Write memory on behalf of an instruction; return whether there is any."""
        before = self.read(address, len(data))
        if before is None:
            return False
        self._undo.append((address, before))
        self._engine.mem_write(address, data)
        return True

    @property
    def gs(self) -> int:
        return self._engine.msr_read(MSR_GS_BASE)

    def set_gs(self, active: int, other: int) -> None:
        """Set the GS base in use, and the one that SWAPGS would bring."""
        self._engine.msr_write(MSR_GS_BASE, active)
        self._engine.msr_write(MSR_KERNEL_GS_BASE, other)

    def set_active_gs(self, base: int) -> None:
        """Set the GS base in use."""
        self._engine.msr_write(MSR_GS_BASE, base)

    def set_fs(self, base: int) -> None:
        """Set the FS base."""
        self._engine.reg_write(uc.UC_X86_REG_FS_BASE, base)

    def fs(self) -> int:
        """Return the FS base."""
        return self._engine.reg_read(uc.UC_X86_REG_FS_BASE)


def _runs(pages: list[int]) -> list[tuple[int, int]]:
    """Return the runs of consecutive numbers in sorted @pages as (first, count)."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][0] + runs[-1][1] == page:
            runs[-1][1] += 1
        else:
            runs.append([page, 1])
    return [(start, count) for start, count in runs]
