"""The Unicorn engine by its C interface, unicorn/unicorn.h, which is one in 2.0 and 2.1. The Python
bindings of both read one register a call, and that of 2.0 truncates XMM8 to XMM15."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p

from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

# By the name that importing the constants has loaded it under.
_LIBRARY = ctypes.CDLL("libunicorn.2.dylib" if sys.platform == "darwin" else "libunicorn.so.2")

_ALL_ADDRESSES = 1, 0  # first and last: none if the last is lower

_InstructionHook = ctypes.CFUNCTYPE(None, c_void_p, c_uint64, c_uint32, c_void_p)
_WriteHook = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_uint64, c_int, c_int64, c_void_p)
_UnmappedHook = ctypes.CFUNCTYPE(c_bool, c_void_p, c_int, c_uint64, c_int, c_int64, c_void_p)


class EngineError(Exception):
    """A call has failed with one of the library's UC_ERR_ numbers."""

    def __init__(self, number: int) -> None:
        super().__init__(_LIBRARY.uc_strerror(number).decode())
        self.number = number


def _check(number: int) -> int:
    if number != uc.UC_ERR_OK:
        raise EngineError(number)
    return number


def _declare(name: str, *arguments: object) -> Callable[..., int]:
    function = getattr(_LIBRARY, name)
    function.argtypes = arguments
    function.restype = _check
    return function


_open = _declare("uc_open", c_int, c_int, POINTER(c_void_p))
_close = _declare("uc_close", c_void_p)
_mem_map = _declare("uc_mem_map", c_void_p, c_uint64, c_size_t, c_uint32)
_mem_unmap = _declare("uc_mem_unmap", c_void_p, c_uint64, c_size_t)
_mem_read = _declare("uc_mem_read", c_void_p, c_uint64, c_void_p, c_size_t)
_mem_write = _declare("uc_mem_write", c_void_p, c_uint64, c_char_p, c_size_t)
_emu_start = _declare("uc_emu_start", c_void_p, c_uint64, c_uint64, c_uint64, c_size_t)
_emu_stop = _declare("uc_emu_stop", c_void_p)
_hook_add = _declare(
    "uc_hook_add", c_void_p, POINTER(c_size_t), c_int, c_void_p, c_void_p, c_uint64, c_uint64
)
_ctl = _declare("uc_ctl", c_void_p, c_int, c_int)
_reg_read = _declare("uc_reg_read", c_void_p, c_int, c_void_p)
_reg_write = _declare("uc_reg_write", c_void_p, c_int, c_void_p)
_registers = c_void_p, POINTER(c_int), POINTER(c_void_p), c_int
_reg_read_batch = _declare("uc_reg_read_batch", *_registers)
_reg_write_batch = _declare("uc_reg_write_batch", *_registers)
_LIBRARY.uc_strerror.restype = c_char_p


class _Msr(ctypes.Structure):
    _fields_ = [("number", c_uint32), ("value", c_uint64)]


class Engine:
    """A CPU in 64-bit mode with no memory yet."""

    def __init__(self) -> None:
        self._handle = c_void_p()
        self._value = c_uint64()
        self._at_value = byref(self._value)
        _open(uc.UC_ARCH_X86, uc.UC_MODE_64, byref(self._handle))
        self._hooks: list[object] = []  # the library keeps only their addresses
        self._error: BaseException | None = None
        # It knows CLAC; that of 2.1 does so only on a CPU with SMAP.
        self._control(uc.UC_CTL_CPU_MODEL, x86.UC_CPU_X86_ICELAKE_SERVER)
        if hasattr(uc, "UC_CTL_TLB_TYPE"):
            # Else 2.1 clears the bits of an address that no physical one has, 52 to 63.
            self._control(uc.UC_CTL_TLB_TYPE, uc.UC_TLB_VIRTUAL)

    def __del__(self) -> None:
        if self._handle:
            _close(self._handle)

    def _control(self, option: int, value: int) -> None:
        """Set @option: UC_CTL_WRITE(option, 1)."""
        _ctl(self._handle, option | 1 << 26 | uc.UC_CTL_IO_WRITE << 30, value)

    def map(self, address: int, size: int) -> None:
        _mem_map(self._handle, address, size, uc.UC_PROT_ALL)

    def unmap(self, address: int, size: int) -> None:
        _mem_unmap(self._handle, address, size)

    def read(self, address: int, size: int) -> bytes:
        data = ctypes.create_string_buffer(size)
        _mem_read(self._handle, address, data, size)
        return data.raw

    def write(self, address: int, data: bytes) -> None:
        _mem_write(self._handle, address, data, len(data))

    def run(self, address: int) -> None:
        """Run from @address until stop() or an exception of the CPU; raise what a hook raised."""
        self._error = None
        try:
            _emu_start(self._handle, address, 0, 0, 0)
        finally:
            if self._error is not None:
                raise self._error

    def stop(self) -> None:
        """End run(). To be called by a hook."""
        _emu_stop(self._handle)

    def on_instruction(self, function: Callable[[int], None]) -> None:
        """Call @function with the address of each instruction before it is executed."""

        def hook(_engine: int, address: int, _size: int, _data: int) -> None:
            try:
                function(address)
            except BaseException as error:
                self._fail(error)

        self._add(uc.UC_HOOK_CODE, _InstructionHook(hook))

    def on_write(self, function: Callable[[int, int, int], None]) -> None:
        """Call @function with address, size and value (signed) before each write."""

        def hook(_engine: int, _kind: int, address: int, size: int, value: int, _: int) -> None:
            try:
                function(address, size, value)
            except BaseException as error:
                self._fail(error)

        self._add(uc.UC_HOOK_MEM_WRITE, _WriteHook(hook))

    def on_unmapped(self, function: Callable[[int, int, bool], bool]) -> None:
        """Call @function with address, size and whether it is a fetch at each access to memory that
        is not mapped; it returns whether it is now."""

        def hook(_engine: int, kind: int, address: int, size: int, _value: int, _: int) -> bool:
            try:
                return function(address, size, kind == uc.UC_MEM_FETCH_UNMAPPED)
            except BaseException as error:
                self._fail(error)
                return False

        self._add(uc.UC_HOOK_MEM_UNMAPPED, _UnmappedHook(hook))

    def _add(self, kind: int, hook: object) -> None:
        self._hooks.append(hook)
        address = ctypes.cast(hook, c_void_p)
        _hook_add(self._handle, byref(c_size_t()), kind, address, None, *_ALL_ADDRESSES)

    def _fail(self, error: BaseException) -> None:
        """Keep @error for run(): an exception cannot cross the library."""
        self._error = error
        self.stop()

    def register(self, number: int) -> int:
        self._value.value = 0  # of which some registers fill a part
        _reg_read(self._handle, number, self._at_value)
        return self._value.value

    def set_register(self, number: int, value: int) -> None:
        _reg_write(self._handle, number, byref(c_uint64(value)))

    def msr(self, number: int) -> int:
        msr = _Msr(number)
        _reg_read(self._handle, x86.UC_X86_REG_MSR, byref(msr))
        return msr.value

    def set_msr(self, number: int, value: int) -> None:
        _reg_write(self._handle, x86.UC_X86_REG_MSR, byref(_Msr(number, value)))

    def registers(self, numbers: list[int], size: int) -> Registers:
        """Return a set of registers, of @size bytes each, that one call reads or writes."""
        return Registers(self._handle, numbers, size)


class Registers:
    """Registers of an Engine that are read or written by one call."""

    def __init__(self, handle: c_void_p, numbers: list[int], size: int) -> None:
        self._handle = handle
        self._count = len(numbers)
        self._size = size
        self._numbers = (c_int * self._count)(*numbers)
        self._buffer = ctypes.create_string_buffer(self._count * size)
        base = ctypes.addressof(self._buffer)
        self._pointers = (c_void_p * self._count)(
            *(base + index * size for index in range(self._count))
        )

    def read(self) -> list[int]:
        _reg_read_batch(self._handle, self._numbers, self._pointers, self._count)
        data, size = self._buffer.raw, self._size
        if size == 8:
            return list(struct.unpack(f"<{self._count}Q", data))
        return [
            int.from_bytes(data[at : at + size], "little")
            for at in range(0, self._count * size, size)
        ]

    def write(self, values: list[int]) -> None:
        if self._size == 8:
            struct.pack_into(f"<{self._count}Q", self._buffer, 0, *values)
        else:
            self._buffer.raw = b"".join([v.to_bytes(self._size, "little") for v in values])
        _reg_write_batch(self._handle, self._numbers, self._pointers, self._count)
