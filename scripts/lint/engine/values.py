"""The values that a run starts with. Each is unique, so that whatever turns up where it should
not can be called by its name: "the interrupted r9", "the error code"."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, field, replace

from lint.architecture import GENERAL, RFLAGS_FIXED, RFLAGS_IF

# Addresses that no image has; all canonical, the kernel's in the upper half.
STACK_BASE = 0xFFFF9D0000100000
STACK_SIZE = 0x10000
OTHER_STACK = 0xFFFF9D8000100000  # what a pointer out of unknown memory leads to
KERNEL_GS = 0xFFFF9E0000000000
USER_GS = 0x00006E0000000000
KERNEL_CODE = 0xFFFF9F0000000000  # where the interrupted programs were
USER_CODE = 0x00005E0000000000
USER_STACK = 0x00007D0000000000
FS_BASE = 0x00006F0000000000
CR3 = 0x0000000012345000

# All exceptions masked, as programs start with, but rounding up: SDM vol. 1, 8.1.5 and 10.2.3.
MXCSR, X87_CONTROL = 0x5F80, 0x0B7F

WORD = 1 << 64

# CF, PF, AF, ZF, SF and OF: what a program may have as it likes. IF is set in ring 3.
OTHER_FLAGS = 0x8D5

# One piece of noise for all runs; each sees it from another offset.
_NOISE = random.Random(0).randbytes(2 * STACK_SIZE)


@dataclass(frozen=True)
class Variant:
    """The circumstances under which a vector is taken."""

    ring: int
    flags: int  # DF and AC of the interrupted program
    has_code: bool  # whether the CPU pushes one
    seed: int
    user_gs: bool  # whether GS is the user's at the first instruction
    interrupts: bool = False  # RFLAGS.IF in the stub: through a trap gate
    c_returns_rsp: bool = False
    c_uses_vectors: bool = False  # whether C destroys XMM registers

    def __str__(self) -> str:
        parts = [f"from ring {self.ring}"]
        if self.flags:
            parts.append("DF and AC set")
        if self.ring == 0 and self.user_gs:
            parts.append("GS still the user's")
        return ", ".join(parts)


@dataclass
class Values:
    """What is in registers and memory at the first instruction of a stub."""

    registers: dict[str, int]  # without rsp
    vectors: list[int]  # YMM0 to YMM15
    c_registers: dict[str, int]  # what C leaves in caller-saved registers
    c_vectors: list[int]  # XMM0 to XMM15
    code: int
    rip: int
    cs: int
    rflags: int
    rsp: int  # interrupted
    ss: int
    top: int  # the aligned address above the frame
    noise: int  # where that on the stack around begins
    names: dict[int, str] = field(default_factory=dict)

    @property
    def fill(self) -> bytes:
        """What is on the stack around."""
        return _NOISE[self.noise : self.noise + STACK_SIZE]

    @property
    def frame(self) -> dict[str, int]:
        """The frame's slots by name."""
        return {"rip": self.rip, "cs": self.cs, "rflags": self.rflags, "rsp": self.rsp,
                "ss": self.ss}  # fmt: skip


def _unlike_an_address(rng: random.Random) -> int:
    """Return 64 random bits that are not canonical: whoever uses them as an address is caught."""
    return rng.getrandbits(46) | 1 << 47 | rng.getrandbits(15) << 48


def make(variant: Variant, selectors: tuple[int, int, int, int]) -> Values:
    """Return the values of @variant; @selectors are kernel CS and SS, user CS and SS."""
    drawn = _draw(variant.seed, variant.ring, variant.flags, selectors)
    return replace(drawn, registers=dict(drawn.registers), names=dict(drawn.names))


# Images that are linted one after the other, as by the tests, are met by the same values.
@functools.lru_cache(maxsize=1 << 12)
def _draw(seed: int, ring: int, flags: int, selectors: tuple[int, int, int, int]) -> Values:
    rng = random.Random(seed * 2 + ring)
    kernel_cs, kernel_ss, user_cs, user_ss = selectors
    kernel = ring == 0
    registers = {name: _unlike_an_address(rng) for name in GENERAL}
    c_registers = {name: _unlike_an_address(rng) for name in GENERAL}
    # A system call's number is small; and the top half of some registers is clear.
    if seed % 2:
        registers["rax"] = rng.randrange(0x100, 0x7FFF)
        registers["r9"] = rng.getrandbits(31)
    noise = rng.randrange(STACK_SIZE)
    top = STACK_BASE + STACK_SIZE // 2 + rng.randrange(0, 64) * 16
    # The RSP of a program in ring 0 lies above its frame; the CPU has aligned it down.
    rsp = top + rng.randrange(16) if kernel else USER_STACK + rng.randrange(0x100, 0xF00)
    values = Values(
        registers=registers,
        vectors=[rng.getrandbits(256) for _ in range(16)],
        c_registers=c_registers,
        c_vectors=[rng.getrandbits(128) for _ in range(16)],
        code=rng.randrange(0x100, 0x7FFF) | 1 << 15,
        rip=(KERNEL_CODE if kernel else USER_CODE) + rng.randrange(0x100, 0xF00),
        cs=kernel_cs if kernel else user_cs,
        rflags=RFLAGS_FIXED | flags | rng.getrandbits(12) & OTHER_FLAGS | (
            0 if kernel and seed % 2 else RFLAGS_IF
        ),
        rsp=rsp,
        ss=kernel_ss if kernel else user_ss,
        top=top,
        noise=noise,
    )
    names = values.names
    for name, value in registers.items():
        names[value] = f"the interrupted {name}"
    for name, value in c_registers.items():
        names[value] = f"the garbage that C leaves in {name}"
    names[c_registers["rax"]] = "C's return value"
    for name, value in values.frame.items():
        if name in ("rip", "rsp", "rflags"):
            names[value] = f"the frame's {name}"
    names[values.code] = "the error code"
    return values
