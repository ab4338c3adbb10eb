"""Where the fields of the kernel's structures lie, as its debugging information says."""

from __future__ import annotations

from pathlib import Path

from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile


def _child(parent: DIE, tag: str, name: str) -> DIE | None:
    for entry in parent.iter_children():
        found = entry.attributes.get("DW_AT_name")
        if entry.tag == tag and found and found.value == name.encode():
            return entry
    return None


def offset(elf: str | Path, structure: str, field: str) -> int:
    """Return the offset of @field in `struct @structure` of the kernel @elf."""
    with open(elf, "rb") as file:
        for unit in ELFFile(file).get_dwarf_info().iter_CUs():
            found = _child(unit.get_top_DIE(), "DW_TAG_structure_type", structure)
            # Where nobody looks into it, it may be declared alone.
            if found and (member := _child(found, "DW_TAG_member", field)):
                return member.attributes["DW_AT_data_member_location"].value
    raise LookupError(f"{elf} has no struct {structure} with a field {field}")
