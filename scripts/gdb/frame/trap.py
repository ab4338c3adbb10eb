"""A trap in progress, as its stack shows it: which slots of struct regs exist, and who pushed
them. asm/entry.asm draws the whole of it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import gdb
from manuals import OFFSETS, VECTORS

from . import path, symbols

REGS_SIZE = OFFSETS["ss"] + 8
CPU_SLOTS = ("ss", "rsp", "rflags", "cs", "rip")
GENERAL = [name for name in sorted(OFFSETS, key=OFFSETS.get, reverse=True) if OFFSETS[name] < 120]
CPU, STUB, ENTRY, FIXUP = "CPU", "stub", "entry", "fixup"


@dataclass(frozen=True)
class Slot:
    """Eight bytes of the frame: what they are, and who put them there."""

    name: str
    address: int
    value: int
    pusher: str


def read(address: int) -> int:
    """Return the 64-bit word at @address."""
    return struct.unpack("<Q", gdb.selected_inferior().read_memory(address, 8).tobytes())[0]


def register(frame: gdb.Frame, name: str) -> int:
    """Return the register @name as unwound to @frame."""
    return int(frame.read_register(name)) & (1 << 64) - 1


def _frame_address(frame: gdb.Frame) -> int:
    """Return the canonical frame address: GDB tells it in `info frame` alone."""
    selected = gdb.selected_frame()
    frame.select()
    text = gdb.execute("info frame", to_string=True)
    selected.select()
    return int(re.search(r"frame at (0x[0-9a-f]+)", text)[1], 16)


class Trap:
    """The trap whose stub or entry runs in, or was called by, a frame of GDB's."""

    def __init__(self, frame: gdb.Frame) -> None:
        self.frame = frame
        self.pc = frame.pc()
        self.top = _frame_address(frame)  # the CPU's frame ends here, aligned to 16
        self.rsp = register(frame, "rsp")
        self.vector = self._vector()
        self.code_pushed = self._code_pushed()

    @property
    def regs(self) -> int:
        """The address of struct regs, also while it is not complete."""
        return self.top - REGS_SIZE

    def at(self, name: str) -> int:
        """Return the address of the slot @name, also before it exists."""
        return self.regs + OFFSETS[name]

    def _vector(self) -> int:
        vector = path.stub_vector(self.pc)
        if vector is not None:
            return vector
        where = self.at("vector") if path.is_settled(self.pc) else self.rsp
        return read(where) & 0xFFFFFFFF

    @property
    def _may_carry_code(self) -> bool:
        return self.vector in VECTORS and VECTORS[self.vector].has_code

    def _code_pushed(self) -> bool:
        if not self._may_carry_code or path.is_fixup(self.pc):
            return False
        if path.is_settled(self.pc):
            return read(self.at("vector")) >> 32 == 0  # struct regs: slot_opened
        pushed_by_stub = 0
        if self.pc > path.stub(self.vector) + 4 or path.stub_vector(self.pc) is None:
            pushed_by_stub = 8
        return self.top - self.rsp == 48 + pushed_by_stub

    def _owners(self) -> list[tuple[str, str, str]]:
        """Return for each place of struct regs what lies there now, and who put it there."""
        code, vector = ("error", STUB), ("vector", STUB)
        if self.code_pushed:
            code = "error", CPU
        elif self._may_carry_code:
            in_place = path.is_settled(self.pc) or path.is_code_zeroed(self.pc)
            code = ("error", FIXUP) if in_place else ("vector", STUB)
            vector = "vector", FIXUP
        return [
            *((name, name, CPU) for name in CPU_SLOTS),
            ("error_code", *code),
            ("vector", *vector),
            *((name, name, ENTRY) for name in GENERAL),
        ]

    def slots(self) -> list[Slot]:
        """Return the slots that exist, the highest first, as they were pushed."""
        memory = gdb.selected_inferior().read_memory(self.regs, REGS_SIZE).tobytes()
        values = struct.unpack(f"<{REGS_SIZE // 8}Q", memory)
        return [
            Slot(name, self.at(place), values[OFFSETS[place] // 8], pusher)
            for place, name, pusher in self._owners()
            if self.at(place) >= self.rsp
        ]

    def interrupted(self) -> gdb.Frame:
        """Return the frame of the code that the trap interrupted."""
        return self.frame.older()

    def origin(self) -> str:
        """Return "ring 0, at kmain+4"."""
        return f"ring {read(self.at('cs')) & 3}, at {symbols.name(read(self.at('rip')))}"


def on_path(frame: gdb.Frame) -> bool:
    """Whether @frame runs in a stub or in the entry."""
    return frame.type() == gdb.SIGTRAMP_FRAME and path.contains(frame.pc())


def find(frame: gdb.Frame) -> Trap | None:
    """Return the innermost trap that @frame is in, or None."""
    while frame is not None and frame.is_valid():
        if on_path(frame):
            return Trap(frame)
        frame = frame.older()
    return None


def in_progress() -> list[Trap]:
    """Return the traps on the current stack, the innermost first."""
    found = []
    frame = gdb.newest_frame()
    while frame is not None:
        if on_path(frame):
            found.append(Trap(frame))
        frame = frame.older()
    return found
