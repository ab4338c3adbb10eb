"""How the local APIC comes into xAPIC mode and to its place, whatever the firmware has left: x2APIC
mode, locked or not; another address; off. QEMU has no such firmware, and up to 7.2 no x2APIC. So the
kernel runs apic_init() under the GDB stub, and the test plays CPUID and the registers."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from calling import Caller
from gdbstub import Registers

# SDM vol. 3, figure 10-26.
BSP, EXTD, EN = 1 << 8, 1 << 10, 1 << 11
HERE = 0xFEE00000  # as the MADT has it
RESERVED = 1 << 0

# SDM vol. 4, table 2-2, and vol. 2A, table 3-8.
IA32_APIC_BASE, IA32_XAPIC_DISABLE_STATUS, IA32_ARCH_CAPABILITIES = 0x1B, 0xBD, 0x10A
XAPIC_DISABLE_STATUS, LEGACY_XAPIC_DISABLED = 1 << 21, 1 << 0
FEATURES, HAS_ARCH_CAPABILITIES = 7, 1 << 29  # a leaf, and in its EDX
ALL = 2**64 - 1

CPUID, RDMSR, WRMSR = b"\x0f\xa2", b"\x0f\x32", b"\x0f\x30"
FUNCTIONS = {"apic_init", "apic_init_local", "enable_xapic", "x2apic_locked", "apic_base"}
FUNCTIONS |= {"apic_set_base"}  # some of them inline


@dataclass(frozen=True)
class Firmware:
    """What it leaves, and what the kernel must write to IA32_APIC_BASE, or panic of."""

    name: str
    base: int
    writes: tuple[int, ...] = ()
    registers: dict[int, int] = field(default_factory=dict)  # beside IA32_APIC_BASE
    panic: str = ""
    is_stuck: bool = False  # writes change nothing

    def __str__(self) -> str:
        return self.name


def x2apic(name: str, capabilities: int | None, status: int | None, panic: str = "") -> Firmware:
    """One that leaves x2APIC mode, on a CPU with or without the registers that tell of a lock."""
    registers = {IA32_ARCH_CAPABILITIES: capabilities, IA32_XAPIC_DISABLE_STATUS: status}
    there = {number: value for number, value in registers.items() if value is not None}
    # There is no way from x2APIC to xAPIC mode but through "disabled": SDM vol. 3, 10.12.5.
    writes = () if panic else (HERE | BSP, HERE | BSP | EN)
    return Firmware(name, HERE | BSP | EN | EXTD, writes, there, panic)


EVERY = [
    Firmware("xapic", HERE | BSP | EN),
    Firmware("off", HERE | BSP, (HERE | BSP | EN,)),
    Firmware("elsewhere", 0xF_2345_6000 | BSP | EN | RESERVED, (HERE | BSP | EN | RESERVED,)),
    Firmware("off-for-ever", HERE | BSP, (HERE | BSP | EN,), panic="is off and", is_stuck=True),
    x2apic("x2apic", None, None),
    x2apic("x2apic-no-status", ALL & ~XAPIC_DISABLE_STATUS, None),
    x2apic("x2apic-unlocked", XAPIC_DISABLE_STATUS, ALL & ~LEGACY_XAPIC_DISABLED),
    x2apic("x2apic-locked", XAPIC_DISABLE_STATUS, LEGACY_XAPIC_DISABLED, "firmware locked"),
]


def places(call: Caller) -> dict[int, bytes]:
    """Where the kernel asks for what the test plays."""
    found = {}
    for name, symbol in call.symbols.items():
        if name.partition(".")[0] in FUNCTIONS:
            code = call.stub.read(symbol.address, symbol.size)
            for at in range(len(code) - 1):
                if (instruction := code[at : at + 2]) in (CPUID, RDMSR, WRMSR):
                    found[symbol.address + at] = instruction
    return found


def is_allowed(before: int, after: int) -> bool:
    """Whether a write to IA32_APIC_BASE is, or #GP: SDM vol. 3, figure 10-27."""
    modes = {0: "off", EN: "xapic", EN | EXTD: "x2apic"}
    ways = {"off": {"off", "xapic"}, "xapic": set(modes.values()), "x2apic": {"off", "x2apic"}}
    return modes.get(after & (EN | EXTD)) in ways[modes[before & (EN | EXTD)]]


class Played:
    """A CPU's CPUID and registers, and what is written to IA32_APIC_BASE."""

    def __init__(self, firmware: Firmware) -> None:
        self._registers = firmware.registers | {IA32_APIC_BASE: firmware.base}
        self._is_stuck = firmware.is_stuck
        self.writes: list[int] = []

    def execute(self, instruction: bytes, state: Registers) -> None:
        """Do what @instruction does, and go behind it."""
        number, low, high = (state[name] & 0xFFFFFFFF for name in ("rcx", "rax", "rdx"))
        if instruction == CPUID:
            assert (low, number) == (FEATURES, 0)
            has = HAS_ARCH_CAPABILITIES if IA32_ARCH_CAPABILITIES in self._registers else 0
            state.values |= {"rax": 2, "rbx": 0, "rcx": 0, "rdx": has}
        elif instruction == RDMSR:
            value = self._registers[number]
            state.values |= {"rax": value & 0xFFFFFFFF, "rdx": value >> 32}
        else:
            assert number == IA32_APIC_BASE
            self._write(high << 32 | low)
        state.values["rip"] += len(instruction)

    def _write(self, base: int) -> None:
        assert is_allowed(self._registers[IA32_APIC_BASE], base)
        self.writes.append(base)
        if not self._is_stuck:
            self._registers[IA32_APIC_BASE] = base


def play(played: Played, call: Caller, function: str, *arguments: int) -> Registers:
    """Call @function on that CPU, to its end or to a panic. Return the state there."""
    there, panic = places(call), call.symbols["panic"].address
    end = call.begin(function, *arguments)
    with call.stub.breakpoints([*there, end, panic]):
        while (state := call.stub.run())["rip"] in there:
            played.execute(there[state["rip"]], state)
            call.stub.set_registers(state)
    return state


@pytest.mark.parametrize("firmware", EVERY, ids=str)
def test_the_local_apic_comes_into_xapic_mode(firmware: Firmware, call: Caller) -> None:
    played = Played(firmware)
    call("tables_open")  # as they are at boot
    state = play(played, call, "apic_init")
    assert tuple(played.writes) == firmware.writes
    is_panic = state["rip"] == call.symbols["panic"].address
    said = call.stub.read(state["rdi"], 80).decode() if is_panic else ""
    assert firmware.panic in said and bool(firmware.panic) == bool(said)


@pytest.mark.parametrize("bit", [0, BSP])
def test_x2apic_mode_is_left_by_nothing_else(bit: int, call: Caller) -> None:
    """Not on the way from that mode to itself."""
    played = Played(x2apic("x2apic", None, None))
    base = (HERE | BSP | EN | EXTD) ^ bit
    play(played, call, "apic_set_base", base)
    assert played.writes == ([base] if bit else [])
