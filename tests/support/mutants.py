"""Mistakes that nobody thought of: the interrupt path with one thing changed, over and over. What
is changed of assembly and of C, asm_changes.py and c_changes.py say."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import asm_changes
import c_changes
from museum.bugs import ROOT

ASSEMBLY = ("asm/stubs.asm", "asm/entry.asm")
C = (
    "kernel/trap/trap.c",
    "kernel/trap/idt.c",
    "kernel/trap/gdt.c",
    "kernel/cpu/cpu.c",
    "kernel/trap/stacks.c",
    "kernel/trap/tables.c",
    "kernel/trap/ring.c",
    "kernel/trap/vectors.c",
    "kernel/report/record.c",
    "kernel/faults/judge.c",
    "kernel/faults/interruptions.c",
    "kernel/faults/program_lines.c",
    "kernel/devices/apic.c",
    "kernel/devices/lapic.c",
)
CHANGES = dict.fromkeys(ASSEMBLY, asm_changes.changes) | dict.fromkeys(C, c_changes.changes)

EQUIVALENTS = ROOT / "tests" / "equivalents.toml"


@dataclass(frozen=True)
class Mutant:
    """One change of one source."""

    name: str
    source: str
    text: str  # all of the source with the change

    @property
    def is_c(self) -> bool:
        return self.source in C


def mutants() -> list[Mutant]:
    """Return all of them; their names are unique."""
    found: dict[str, Mutant] = {}
    for source, changes in CHANGES.items():
        for what, lines in changes((ROOT / source).read_text()):
            # The same instruction may be there twice.
            first = name = f"{Path(source).name}: {what}"
            number = 2
            while name in found:
                name, number = f"{first} ({number})", number + 1
            found[name] = Mutant(name, source, "\n".join(lines) + "\n")
    return list(found.values())


def equivalents() -> dict[str, str]:
    """Return the mutants that are proven to be right, too, with the reason."""
    groups = tomllib.loads(EQUIVALENTS.read_text())["equivalent"]
    return {name: group["reason"] for group in groups for name in group["mutants"]}
