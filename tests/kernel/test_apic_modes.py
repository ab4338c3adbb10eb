"""How the local APIC comes into its mode, whatever the firmware has left, and what the kernel then
does with MSRs in the place of memory. QEMU has no such firmware, and up to 8.2 no x2APIC. So the
kernel's functions run under the GDB stub, and the test plays the CPU's MSRs."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from calling import Caller
from conftest import ROOT
from gdbstub import Registers

# SDM vol. 3, figure 10-26.
BSP, EXTD, EN = 1 << 8, 1 << 10, 1 << 11
HERE = 0xFEE00000  # as the MADT has it
ELSEWHERE = 0xF_2345_6000
RESERVED = 1 << 0
IA32_APIC_BASE = 0x1B

# SDM vol. 3, table 10-6: what can be written, with the bits that are not reserved, and what else can
# be read.
ID, EOI, ICR = 0x802, 0x80B, 0x830
TPR, SVR, ESR, TIMER, LINT0, LINT1, ERROR = 0x808, 0x80F, 0x828, 0x832, 0x835, 0x836, 0x837
WRITABLE = {TPR: 0xFF, EOI: 0, SVR: 0x11FF, ESR: 0, TIMER: 0x7_00FF, LINT0: 0x1_A7FF}
WRITABLE |= {LINT1: 0x1_A7FF, ERROR: 0x1_00FF, ICR: 0xFFFFFFFF_000CCFFF}
ISR, IRR = range(0x810, 0x818), range(0x820, 0x828)
READABLE = {ID, *ISR, *IRR, *WRITABLE.keys() - {EOI}}

ENABLED, MASKED, NMI, ASSERT = 1 << 8, 1 << 16, 4 << 8, 1 << 14
SPURIOUS, VECTOR = 255, 96
WIDE_ID, HIGHEST_OF_IO_APIC = 0x1234_5678, 0xFE
KEYBOARD_IRQ = 1

RDMSR, WRMSR, FENCES = b"\x0f\x32", b"\x0f\x30", bytes.fromhex("0faef0 0faee8")
FUNCTIONS = {"lapic_enable", "lapic_read", "lapic_write", "apic_base", "apic_set_base", "apic_id"}
FUNCTIONS |= {"apic_send", "send_x2apic", "lapic_mode", "write_base"}  # some of them inline


@dataclass(frozen=True)
class Firmware:
    """What it leaves, and what the kernel must write to IA32_APIC_BASE, or panic of."""

    name: str
    has_x2apic: bool
    base: int
    writes: tuple[int, ...] = ()
    panic: str = ""
    is_stuck: bool = False  # writes change nothing

    def __str__(self) -> str:
        return self.name


# From x2APIC mode there is no way to xAPIC mode but through "disabled", and no need of one. To it the
# way leads through xAPIC mode: SDM vol. 3, 10.12.5.
EVERY = [
    Firmware("xapic", False, HERE | BSP | EN),
    Firmware("off", False, HERE | BSP, (HERE | BSP | EN,)),
    Firmware("elsewhere", False, ELSEWHERE | EN | RESERVED, (HERE | EN | RESERVED,)),
    Firmware("off-for-ever", False, HERE | BSP, (HERE | BSP | EN,), "is off and", True),
    Firmware("x2apic", True, HERE | BSP | EN | EXTD),
    Firmware("x2apic-from-xapic", True, HERE | BSP | EN, (HERE | BSP | EN | EXTD,)),
    Firmware("x2apic-from-off", True, HERE, (HERE | EN, HERE | EN | EXTD)),
    Firmware("x2apic-elsewhere", True, ELSEWHERE | EN, (ELSEWHERE | EN | EXTD,)),
    Firmware("x2apic-off-for-ever", True, HERE, (HERE | EN,), "is off and", True),
]


def places(call: Caller) -> dict[int, bytes]:
    """Where the kernel asks for what the test plays."""
    found = {}
    for name, symbol in call.symbols.items():
        if name.partition(".")[0] in FUNCTIONS:
            code = call.stub.read(symbol.address, symbol.size)
            for at in range(len(code) - 1):
                if (instruction := code[at : at + 2]) in (RDMSR, WRMSR):
                    found[symbol.address + at] = instruction
    return found


def is_allowed(before: int, after: int) -> bool:
    """Whether a write to IA32_APIC_BASE is, or #GP: SDM vol. 3, figure 10-27."""
    modes = {0: "off", EN: "xapic", EN | EXTD: "x2apic"}
    ways = {"off": {"off", "xapic"}, "xapic": set(modes.values()), "x2apic": {"off", "x2apic"}}
    return modes.get(after & (EN | EXTD)) in ways[modes[before & (EN | EXTD)]]


class Played:
    """A CPU's IA32_APIC_BASE and, in x2APIC mode, the registers of its local APIC; and what is
    written to which, in order."""

    def __init__(self, base: int, is_stuck: bool = False) -> None:
        self.values = {IA32_APIC_BASE: base}
        self._is_stuck = is_stuck
        self.writes: list[tuple[int, int]] = []

    def execute(self, instruction: bytes, state: Registers) -> None:
        """Do what @instruction does, and go behind it."""
        msr, low, high = (state[name] & 0xFFFFFFFF for name in ("rcx", "rax", "rdx"))
        if instruction == RDMSR:
            assert msr == IA32_APIC_BASE or (msr in READABLE and self._is_x2apic())
            value = self.values.get(msr, 0)
            state.values |= {"rax": value & 0xFFFFFFFF, "rdx": value >> 32}
        else:
            self._write(msr, high << 32 | low)
        state.values["rip"] += len(instruction)

    def _is_x2apic(self) -> bool:
        return bool(self.values[IA32_APIC_BASE] & EXTD)

    def _write(self, msr: int, value: int) -> None:
        if msr == IA32_APIC_BASE:
            assert is_allowed(self.values[IA32_APIC_BASE], value)
        else:
            assert self._is_x2apic() and not value & ~WRITABLE[msr], f"{msr:x}: {value:x}"
        self.writes.append((msr, value))
        if not self._is_stuck:
            self.values[msr] = value

    def written(self, *msrs: int) -> list[int]:
        return [value for msr, value in self.writes if msr in msrs]


def play(played: Played, call: Caller, function: str, *arguments: int) -> Registers:
    """Call @function on that CPU, to its end or to a panic. Return the state there."""
    there, panic = places(call), call.symbols["panic"].address
    end = call.begin(function, *arguments)
    with call.stub.breakpoints([*there, end, panic]):
        while (state := call.stub.run())["rip"] in there:
            played.execute(there[state["rip"]], state)
            call.stub.set_registers(state)
    return state


def said(call: Caller, state: Registers) -> str:
    """With what words it panics, if it does."""
    is_panic = state["rip"] == call.symbols["panic"].address
    return call.stub.read(state["rdi"], 80).decode() if is_panic else ""


@pytest.fixture
def call(call_xapic: Caller) -> Caller:
    """What is played must not be there: where memory is the APIC, that is QEMU's."""
    return call_xapic


def at_boot(call: Caller, has_x2apic: bool) -> None:
    """The tables are open, the CPU has x2APIC mode or not, and no mode is chosen."""
    call("tables_open")
    names = re.findall(r"^FEATURE\((\w+)", (ROOT / "kernel/cpu/features.def").read_text(), re.M)
    feature = call.symbols["features"].address + 1 + names.index("X2APIC")  # behind ALWAYS
    call.stub.write(feature, bytes([has_x2apic]))
    call.stub.write(call.symbols["lapic"].address, bytes(8))


@pytest.mark.parametrize("firmware", EVERY, ids=str)
def test_the_local_apic_comes_into_its_mode(firmware: Firmware, call: Caller) -> None:
    played = Played(firmware.base, firmware.is_stuck)
    at_boot(call, firmware.has_x2apic)
    state = play(played, call, "apic_init")
    assert tuple(played.written(IA32_APIC_BASE)) == firmware.writes
    words = said(call, state)
    assert firmware.panic in words and bool(firmware.panic) == bool(words)


@pytest.fixture
def x2apic(call: Caller) -> Played:
    """A CPU that boots with its local APIC off."""
    at_boot(call, has_x2apic=True)
    played = Played(HERE)
    play(played, call, "apic_init")
    return played


def test_the_registers_are_msrs(x2apic: Played) -> None:
    """None has a reserved bit set, which would be #GP. SDM vol. 3, 10.5.3: the second write to ESR
    clears it."""
    seen = x2apic.values
    assert (seen[SVR], seen[TPR]) == (ENABLED | SPURIOUS, 0)
    assert (seen[TIMER], seen[ERROR], seen[LINT0], seen[LINT1]) == (MASKED, MASKED, MASKED, NMI)
    assert x2apic.written(ESR) == [0, 0]


def test_an_id_has_32_bits(x2apic: Played, call: Caller) -> None:
    """The highest is everybody's: SDM vol. 3, 10.12.9."""
    x2apic.values[ID] = WIDE_ID
    assert play(x2apic, call, "apic_id")["rax"] == WIDE_ID
    assert call("apic_id_max") == 2**32 - 2


@pytest.mark.parametrize("bits, name", [(EN, b"xAPIC\0"), (EN | EXTD, b"x2APIC\0")])
def test_the_mode_has_its_name(bits: int, name: bytes, call: Caller) -> None:
    at = play(Played(HERE | bits), call, "lapic_mode")["rax"]
    assert call.stub.read(at, len(name)) == name


def test_a_command_is_one_write(x2apic: Played, call: Caller) -> None:
    """And what its destination is to read is written before: SDM vol. 3, 10.12.3."""
    x2apic.writes.clear()
    play(x2apic, call, "apic_send", WIDE_ID, VECTOR)
    assert x2apic.writes == [(ICR, WIDE_ID << 32 | VECTOR | ASSERT)]
    at = call.symbols["apic_send"]
    code = call.stub.read(at.address, at.size)
    assert code.index(FENCES) < code.index(WRMSR)


def test_an_interrupt_is_ended(x2apic: Played, call: Caller) -> None:
    x2apic.writes.clear()
    play(x2apic, call, "apic_end", VECTOR)
    assert not x2apic.writes
    x2apic.values[ISR[VECTOR // 32]] = 1 << VECTOR % 32
    play(x2apic, call, "apic_end", VECTOR)
    assert x2apic.writes == [(EOI, 0)]


@pytest.mark.parametrize("id_", [HIGHEST_OF_IO_APIC, HIGHEST_OF_IO_APIC + 1, 0x100])
def test_the_io_apics_have_8_bits_for_an_id(id_: int, x2apic: Played, call: Caller) -> None:
    """And the highest is everybody's: 82093AA datasheet, 3.2.4."""
    x2apic.values[ID] = id_
    words = said(call, play(x2apic, call, "apic_route", KEYBOARD_IRQ, VECTOR))
    assert ("cannot reach the first CPU" in words) == (id_ > HIGHEST_OF_IO_APIC)
