"""The memory that the path relies on beside the frame: where each kind of it lies."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from damage.machine import Machine
from manuals import CONSTANTS

GDT_ENTRIES, TSS_SIZE = 11, 104  # kernel/trap/gdt.h: struct cpu begins with the TSS, then the GDT
ENTRY_SIZE, TABLE_SIZE = 8, 4096
PRESENT, LARGE = 1 << 0, 1 << 7  # of a paging-structure entry: SDM vol. 3, 4.5
ADDRESS = 0x000F_FFFF_FFFF_F000


@dataclass(frozen=True)
class Region:
    """Memory in spans of one size."""

    spans: tuple[int, ...]  # their addresses
    span_size: int
    is_physical: bool = False

    @property
    def size(self) -> int:
        """In bytes, of all of it."""
        return len(self.spans) * self.span_size

    def address(self, offset: int) -> int:
        """The address of the byte at @offset."""
        return self.spans[offset // self.span_size] + offset % self.span_size


def find_regions(machine: Machine) -> dict[str, Region]:
    """Return the regions by name, in the kernel that @machine has stopped."""
    cpu = machine.stub.registers()["rsp"] & -CONSTANTS["CPU_REGION_SIZE"]
    symbols = machine.symbols
    first, last = symbols["isr_0_DE"].address, symbols["isr_255_SPURIOUS"].end
    entry, idt = symbols["trap_entry_code"].address, symbols["idt"]
    return {
        "stubs": Region((first,), last - first),
        "entry": Region((entry,), symbols["trap_entry"].end - entry),
        "idt": Region((idt.address,), idt.size),
        "gdt": Region((cpu + TSS_SIZE,), GDT_ENTRIES * 8),
        "tss": Region((cpu,), TSS_SIZE),
        "page tables": Region(tuple(present_entries(machine)), ENTRY_SIZE, is_physical=True),
    }


def present_entries(machine: Machine) -> list[int]:
    """Return the physical address of each present entry of the paging structures."""
    tables, found = [(machine.cr3() & ADDRESS, 4)], []
    machine.physical(True)
    for table, level in tables:
        for index, (entry,) in enumerate(struct.iter_unpack("<Q", machine.stub.read(table, TABLE_SIZE))):
            if entry & PRESENT:
                found.append(table + index * ENTRY_SIZE)
                if level > 1 and not entry & LARGE:
                    tables.append((entry & ADDRESS, level - 1))
    machine.physical(False)
    return found
