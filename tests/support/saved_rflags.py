"""RFLAGS as a delivery saves it: as it is, but that a fault saves RF as 1 (SDM vol. 3, 17.3.1.1).

What QEMU does otherwise the table of deviations says, of the catalogue's case for RF that raises
such a trap.
"""

from __future__ import annotations

import functools

import deviations
from emulator import qemu

RF = 1 << 16

# SDM vol. 3, table 6-1, without #DB, which saves RF as it is.
FAULTS = {0, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21}
NMI = 2


@functools.cache
def _wrong(case: str, bit: str, saved: int) -> list[str]:
    """Hold RF of @saved against what @case of the catalogue must see, where it differs."""
    rows = deviations.find(deviations.load(), "qemu-tcg", case)
    here = deviations.Implementation("qemu-tcg", qemu.version())
    return deviations.judge([{bit: RF}], [{"rflags": saved}], rows, here).wrong


def differences(saved: int, before: int, vector: int, software: bool = False) -> list[str]:
    """Say what is wrong if a trap of @vector, by INT n with @software, has saved @saved and RFLAGS
    was @before."""
    if vector in FAULTS and not software:
        found = _wrong("rf-fault", "rflags_set", saved & RF)
    elif vector == NMI and not before & RF:
        found = _wrong("rf-nmi", "rflags_clear", saved & RF)
    else:
        found = [] if (saved ^ before) & RF == 0 else [f"RF of {saved:#x} is not as it was"]
    if (saved ^ before) & ~RF:
        found = [*found, f"RFLAGS saved is {saved:#x}, before it was {before:#x}"]
    return found
