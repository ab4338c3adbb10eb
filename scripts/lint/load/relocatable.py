"""A relocatable object, whatever format it came in: sections, labels in them, and the places that a
linker fills in."""

from __future__ import annotations

from dataclasses import dataclass, field

from lint.load.image import Segment


@dataclass
class Section:
    """What is loaded into memory as one piece. The linker says where."""

    data: bytearray
    align: int = 16
    executable: bool = False
    writable: bool = False
    segment: Segment | None = None


@dataclass(frozen=True)
class Label:
    """A symbol. In no section, it is a number if it is absolute, else another object's."""

    name: str
    section: int | None = None
    value: int = 0
    size: int = 0
    is_function: bool = False
    is_global: bool = True
    is_absolute: bool = False


@dataclass(frozen=True)
class Fixup:
    """A place that gets the address of a label, the difference to its own, or that to a slot of
    the global offset table."""

    section: int
    offset: int
    label: Label
    addend: int
    size: int
    relative: bool = False
    through_got: bool = False


@dataclass
class Relocatable:
    """One object."""

    path: str
    sections: dict[int, Section] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    fixups: list[Fixup] = field(default_factory=list)
