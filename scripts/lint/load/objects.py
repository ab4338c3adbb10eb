"""Linking relocatable objects into an Image, just enough to run their stubs.

Every section that the kernel would load gets an address; what no object defines becomes the C
boundary: an address without memory, by which a call to it is recognised.
"""

from __future__ import annotations

from lint.errors import CannotRun
from lint.load.elf import is_name
from lint.load.image import Image, Segment, Symbol
from lint.load.relocatable import Fixup, Label, Relocatable

# Low, so that 32-bit relocations of either sign can reach it.
BASE = 0x1000000
EXTERN_BASE = 0x40000000
EXTERN_SIZE = 16


class Linker:
    """Places the sections of all objects and resolves their symbols."""

    def __init__(self, name: str) -> None:
        self.image = Image(name=name)
        self._next = BASE
        self._objects: list[Relocatable] = []
        self._globals: dict[str, int] = {}
        self._externs: dict[str, int] = {}
        self._got: dict[int, int] = {}
        self._got_segment = Segment(EXTERN_BASE - 0x100000, bytearray(), False, True)

    def add(self, made: Relocatable) -> None:
        """Place the sections of one object and note its global symbols."""
        self._objects.append(made)
        for section in made.sections.values():
            self._next = (self._next + section.align - 1) // section.align * section.align
            section.segment = Segment(
                self._next, section.data, section.executable, section.writable
            )
            self.image.segments.append(section.segment)
            self._next = section.segment.end
        for label in made.labels:
            if label.section is not None and is_name(label.name):
                address = self._address(made, label)
                if label.is_global:
                    self._globals[label.name] = address
                self.image.symbols.append(
                    Symbol(label.name, address, label.size, label.is_function)
                )

    def link(self) -> Image:
        """Fill in what the objects leave open, and return the image."""
        for made in self._objects:
            for fixup in made.fixups:
                self._apply(made, fixup)
        if self._got:
            self.image.segments.append(self._got_segment)
        self.image.externs = {address: name for name, address in self._externs.items()}
        return self.image.seal()

    @staticmethod
    def _address(made: Relocatable, label: Label) -> int:
        return made.sections[label.section].segment.address + label.value

    def _value(self, made: Relocatable, label: Label) -> int:
        """Return the address that @label has, making up one for what nobody defines."""
        if label.is_absolute:
            return label.value
        if label.section is not None:
            return self._address(made, label)
        name = label.name
        if name in self._globals:
            return self._globals[name]
        if name not in self._externs:
            self._externs[name] = EXTERN_BASE + len(self._externs) * EXTERN_SIZE
        return self._externs[name]

    def _got_slot(self, value: int) -> int:
        if value not in self._got:
            self._got[value] = self._got_segment.end
            self._got_segment.data += value.to_bytes(8, "little")
        return self._got[value]

    def _apply(self, made: Relocatable, fixup: Fixup) -> None:
        segment = made.sections[fixup.section].segment
        end = fixup.offset + fixup.size
        if fixup.offset < 0 or end > len(segment.data):
            raise CannotRun(
                f"{made.path}: a relocation is broken (it writes past the end of its section, at"
                f" {fixup.offset:#x})"
            )
        value = self._value(made, fixup.label)
        if fixup.through_got:
            value = self._got_slot(value)
        origin = segment.address + fixup.offset if fixup.relative else 0
        result = (value + fixup.addend - origin) % (1 << (8 * fixup.size))
        segment.data[fixup.offset : end] = result.to_bytes(fixup.size, "little")
