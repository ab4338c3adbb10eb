"""What a kernel's DWARF says of the C functions that stubs call: their parameters, the fields of
the frame's struct, and source lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from elftools.elf.elffile import ELFFile

from lint.load.elf import BROKEN
from lint.load.image import Image

# DWARF 5, table 7.17: assembly has no parameters and keeps to no convention.
LANG_MIPS_ASSEMBLER = 0x8001
DW_OP_PLUS_UCONST = 0x23  # with a ULEB128: DWARF 5, 2.5.1.4 and 7.6
TRANSPARENT = ("DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_typedef")
AGGREGATE = ("DW_TAG_structure_type", "DW_TAG_union_type", "DW_TAG_class_type")

# Reading more than this in Python takes longer than anybody waits.
LARGEST = 48 << 20


@dataclass(frozen=True)
class Member:
    """A field of a struct that is a number."""

    name: str
    offset: int
    size: int


@dataclass
class Parameter:
    """A parameter of a C function."""

    name: str
    is_pointer: bool
    size: int
    members: list[Member] = field(default_factory=list)  # of the struct, if it is or points to one


@dataclass
class Function:
    """A C function."""

    name: str
    noreturn: bool
    parameters: list[Parameter]


# A compile unit: where it is from, its DIE, and the addresses of its code.
Unit = tuple[object, object, list[tuple[int, int]]]


class Debug:
    """The DWARF of a linked kernel, looked up by address, or of objects, looked up by name."""

    def __init__(self, image: Image, elves: list[ELFFile], by_name: bool) -> None:
        self._image = image
        self._by_name = by_name
        self._infos = [info for elf in elves if (info := _dwarf(elf))]
        self._units: list[Unit] | None = None
        self._at: dict[int, Unit] = {}  # those that an address was looked up in, by their offset
        self._addresses = [None if by_name else _addresses(info) for info in self._infos]
        self._functions: dict[int, Function | None] = {}
        self._lines: dict[object, list[tuple[int, str, int]]] = {}

    def function(self, address: int) -> Function | None:
        """Return the C function that starts at @address, or None."""
        if address not in self._functions:
            try:
                self._functions[address] = self._find(address)
            except BROKEN:
                self._functions[address] = None  # unreadable: as without debug information
        return self._functions[address]

    def line(self, address: int) -> str | None:
        """Return such as "entry.asm:47" for @address, or None."""
        if self._by_name:
            return None
        try:
            return self._line(address)
        except BROKEN:
            return None

    def _units_at(self, address: int) -> list[Unit]:
        """Return the units that may hold @address. Most files have a table of addresses: to read
        all units takes a hundred times as long."""
        for info, addresses in zip(self._infos, self._addresses):
            offset = _offset_at(addresses, address)
            if offset is not None:
                if offset not in self._at:
                    self._at[offset] = _unit(info, info.get_CU_at(offset))
                return [self._at[offset]]
        if self._units is None:
            self._units = [_unit(info, cu) for info in self._infos for cu in info.iter_CUs()]
        return self._units

    def _find(self, address: int) -> Function | None:
        for die in self._subprograms(address):
            name = _text(die, "DW_AT_name") or _text(_origin(die), "DW_AT_name")
            if self._by_name:
                if name != self._image.describe(address) or "DW_AT_declaration" in die.attributes:
                    continue
            elif _integer(die, "DW_AT_low_pc") != address:
                continue
            return _function(die, name or self._image.describe(address))
        return None

    def _subprograms(self, address: int) -> Iterator[object]:
        for _, top, ranges in self._units_at(address):
            if _integer(top, "DW_AT_language") == LANG_MIPS_ASSEMBLER:
                continue
            if not self._by_name and not any(low <= address < high for low, high in ranges):
                continue
            yield from _functions_below(top)

    def _line(self, address: int) -> str | None:
        for info, top, ranges in self._units_at(address):
            if any(low <= address < high for low, high in ranges):
                if top.offset not in self._lines:
                    self._lines[top.offset] = list(_line_rows(info, top.cu))
                best = None
                for row, name, number in self._lines[top.offset]:
                    if row > address:
                        break
                    best = f"{name}:{number}"
                return best
        return None


def _dwarf(elf: ELFFile) -> object | None:
    try:
        section = elf.get_section_by_name(".debug_info")
        if section is None or section["sh_size"] > LARGEST:
            return None
        return elf.get_dwarf_info()
    except BROKEN:
        return None


def _addresses(info: object) -> object | None:
    """Return the table of addresses of @info, if there is one that can be read."""
    try:
        table = info.get_aranges()
        return table if table is not None and table.entries else None
    except (*BROKEN, NotImplementedError):
        return None


def _offset_at(addresses: object | None, address: int) -> int | None:
    return addresses.cu_offset_at_addr(address) if addresses is not None else None


def _unit(info: object, cu: object) -> Unit:
    top = cu.get_top_DIE()
    return info, top, _ranges(info, cu, top)


def _attribute(die: object, name: str) -> object | None:
    attribute = die.attributes.get(name) if die is not None else None
    return attribute.value if attribute is not None else None


def _integer(die: object, name: str) -> int | None:
    value = _attribute(die, name)
    return value if isinstance(value, int) else None


def _text(die: object, name: str) -> str | None:
    value = _attribute(die, name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def _ranges(info: object, unit: object, top: object) -> list[tuple[int, int]]:
    low = _integer(top, "DW_AT_low_pc")
    high = top.attributes.get("DW_AT_high_pc")
    if low is not None and high is not None:
        end = high.value if high.form == "DW_FORM_addr" else low + high.value
        return [(low, end)]
    offset = _integer(top, "DW_AT_ranges")
    lists = info.range_lists()
    if offset is None or lists is None:
        return []
    found, base = [], low or 0
    try:
        entries = lists.get_range_list_at_offset(offset, unit)
    except TypeError:
        entries = lists.get_range_list_at_offset(offset)
    for entry in entries:
        if hasattr(entry, "base_address"):
            base = entry.base_address
        else:
            start = 0 if getattr(entry, "is_absolute", False) else base
            found.append((start + entry.begin_offset, start + entry.end_offset))
    return found


def _functions_below(die: object) -> Iterator[object]:
    """Yield the subprograms in @die, also those in the namespaces of C++ and Rust."""
    for child in die.iter_children():
        if child.tag == "DW_TAG_subprogram":
            yield child
        elif child.tag in ("DW_TAG_namespace", *AGGREGATE):
            yield from _functions_below(child)


def _origin(die: object) -> object | None:
    for name in ("DW_AT_abstract_origin", "DW_AT_specification"):
        if name in die.attributes:
            return die.get_DIE_from_attribute(name)
    return None


def _type(die: object | None) -> object | None:
    """Return the type of @die without typedefs and qualifiers."""
    while die is not None and "DW_AT_type" in die.attributes:
        die = die.get_DIE_from_attribute("DW_AT_type")
        if die.tag not in TRANSPARENT:
            return die
    return None


def _function(die: object, name: str) -> Function:
    noreturn = bool(_attribute(die, "DW_AT_noreturn") or _attribute(_origin(die),
                                                                    "DW_AT_noreturn"))  # fmt: skip
    parameters = [
        _parameter(child)
        for child in die.iter_children()
        if child.tag == "DW_TAG_formal_parameter"
    ]
    return Function(name, noreturn, parameters)


def _parameter(die: object) -> Parameter:
    origin = _origin(die)
    name = _text(die, "DW_AT_name") or _text(origin, "DW_AT_name") or ""
    kind = _type(die) or _type(origin)
    if kind is None:
        return Parameter(name, False, 8)
    is_pointer = kind.tag in ("DW_TAG_pointer_type", "DW_TAG_reference_type")
    size = _integer(kind, "DW_AT_byte_size") or 8
    target = _type(kind) if is_pointer else kind
    members = list(_members(target, 0)) if target is not None and target.tag in AGGREGATE else []
    return Parameter(name, is_pointer, size, members)


def _members(struct: object, base: int, depth: int = 4) -> Iterator[Member]:
    for child in struct.iter_children():
        if child.tag == "DW_TAG_inheritance" and depth and (base_class := _type(child)):
            yield from _members(base_class, base + _member_offset(child), depth - 1)
        if child.tag != "DW_TAG_member" or "DW_AT_bit_size" in child.attributes:
            continue
        offset = base + _member_offset(child)
        kind = _type(child)
        if kind is None:
            continue
        if kind.tag in AGGREGATE and depth:
            yield from _members(kind, offset, depth - 1)
        elif name := _text(child, "DW_AT_name"):
            yield Member(name, offset, _integer(kind, "DW_AT_byte_size") or 8)


def _member_offset(member: object) -> int:
    """Return the offset of @member: a number, or in DWARF 2 an expression that adds one."""
    value = _attribute(member, "DW_AT_data_member_location")
    if isinstance(value, list) and value and value[0] == DW_OP_PLUS_UCONST:
        return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(value[1:]))
    return value if isinstance(value, int) else 0


def _line_rows(info: object, unit: object) -> Iterator[tuple[int, str, int]]:
    program = info.line_program_for_CU(unit)
    if program is None:
        return
    files = program["file_entry"]
    first = 0 if program["version"] >= 5 else 1
    rows = []
    for entry in program.get_entries():
        state = entry.state
        if state is not None and not state.end_sequence:
            index = state.file - first
            name = files[index].name.decode("utf-8", "replace") if index < len(files) else "?"
            rows.append((state.address, os.path.basename(name), state.line))
    yield from sorted(rows)
