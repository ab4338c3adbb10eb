"""What IRETQ does with a frame, by the manual, for the kernel's own GDT: SDM vol. 2, IRET."""

from __future__ import annotations

from dataclasses import dataclass

FRAME = ("rip", "cs", "rflags", "rsp", "ss")

P, S, CODE, WRITABLE, CONFORMING = 1 << 47, 1 << 44, 8 << 40, 2 << 40, 4 << 40
LONG, DEFAULT_32 = 1 << 53, 1 << 54


@dataclass(frozen=True)
class Fault:
    """IRETQ refuses the frame because of @slot."""

    slot: str
    vector: int
    code: int


def is_canonical(address: int) -> bool:
    return (address >> 47) in (0, (1 << 17) - 1)


def descriptor(selector: int, gdt: list[int]) -> int | None:
    """The descriptor of @selector; None beyond the table, or in the LDT, which is not there."""
    index = selector >> 3
    return None if selector & 4 or index >= len(gdt) else gdt[index]


def refused(frame: dict[str, int], gdt: list[int]) -> Fault | None:
    """Return why IRETQ in ring 0 refuses @frame, or None."""
    cs, ss = frame["cs"] & 0xFFFF, frame["ss"] & 0xFFFF
    if fault := _bad_code(cs, gdt) or _bad_stack(ss, cs, gdt):
        return fault
    is_long = descriptor(cs, gdt) & LONG
    if is_long and not is_canonical(frame["rip"]):
        return Fault("rip", 13, 0)
    return None


def _bad_code(cs: int, gdt: list[int]) -> Fault | None:
    if not cs & ~3:
        return Fault("cs", 13, 0)
    found = descriptor(cs, gdt)
    if found is None or not found & S or not found & CODE:
        return Fault("cs", 13, cs & ~3)
    dpl, rpl = found >> 45 & 3, cs & 3
    if dpl > rpl if found & CONFORMING else dpl != rpl:
        return Fault("cs", 13, cs & ~3)
    if not found & P:
        return Fault("cs", 11, cs & ~3)
    return Fault("cs", 13, cs & ~3) if found & LONG and found & DEFAULT_32 else None


def _bad_stack(ss: int, cs: int, gdt: list[int]) -> Fault | None:
    if not ss & ~3:
        to_ring_3 = cs & 3 == 3
        is_long = descriptor(cs, gdt) & LONG
        return None if is_long and not to_ring_3 else Fault("ss", 13, 0)
    found = descriptor(ss, gdt)
    rpl = ss & 3
    if found is None or rpl != cs & 3 or not found & S or found & CODE or not found & WRITABLE:
        return Fault("ss", 13, ss & ~3)
    if found >> 45 & 3 != rpl:
        return Fault("ss", 13, ss & ~3)
    return None if found & P else Fault("ss", 12, ss & ~3)
