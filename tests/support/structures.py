"""Where the fields of the kernel's structures lie, as its debugging information says."""

from __future__ import annotations

import subprocess


def offset(elf: str, structure: str, field: str) -> int:
    """Return the offset of @field in `struct @structure` of the kernel @elf."""
    say = f"print (long)&((struct {structure} *)0)->{field}"
    command = ["gdb", "-nx", "-batch", "-ex", say, elf]
    return int(subprocess.run(command, capture_output=True, text=True).stdout.split()[-1])
