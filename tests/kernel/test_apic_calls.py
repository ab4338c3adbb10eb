"""What the driver of the interrupt controllers does where those of QEMU are all alike: with each vector,
an ID that is not 0, a second I/O APIC, a command that is still pending. Its functions are called
through the GDB stub; the controllers that QEMU has not are plain memory."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gdbstub
from calling import Caller
from conftest import WAYS_TO_BOOT, Start
from elf.symbols import Symbol
from gdbstub import GdbStub
from qemu import Qemu

# SDM vol. 3, table 10-1. ISR and IRR are eight registers each, 16 bytes apart.
ID, TPR, EOI, SVR, ISR, TMR, IRR = 0x20, 0x80, 0xB0, 0xF0, 0x100, 0x180, 0x200
ESR, ICR, ICR_HIGH = 0x280, 0x300, 0x310
LVT_TIMER, LVT_LINT0, LVT_LINT1, LVT_ERROR = 0x320, 0x350, 0x360, 0x370
LAPIC_SIZE = 0x400

# SDM vol. 3, figures 10-8, 10-12 and 10-23.
PENDING, ASSERT = 1 << 12, 1 << 14
NMI, EXTINT = 4 << 8, 7 << 8
MASKED, PERIODIC = 1 << 16, 1 << 17
ENABLED, SPURIOUS = 1 << 8, 255

VECTOR, NMI_VECTOR, ANOTHER_ID = 96, 2, 5
KEYBOARD_IRQ = 1
INDEX, WINDOW, REDIRECTIONS, PINS = 0x00, 0x10, 0x10, 24  # 82093AA datasheet, 3.1 and 3.2
ACTIVE_LOW, LEVEL = 1 << 13, 1 << 15  # 3.2.4

IO_APIC_ADDRESS = 0xFEC00000
IO_APIC = struct.Struct("<QII")  # kernel/devices/apic.c: its registers, gsi_base, pin_count
ISA_INTERRUPT = struct.Struct("<IHxx")  # kernel/devices/madt.h: gsi, flags
ISA_INTERRUPTS = 8 + 8 * 16 + 8  # their place in struct madt

TRACE = ("-trace", "apic_*_write*", "-trace", "ioapic_mem_write")
IO_APIC_WRITE = re.compile(r"ioapic mem write addr 0x(\w+) regsel: 0x(\w+) size 0x4 val 0x(\w+)")
LOCAL_WRITE = re.compile(
    r"^apic_(?:mem_writel 0x(\w+)|register_write register 0x(\w+)) = 0x(\w+)$", re.MULTILINE
)

Traced = tuple[Qemu, Caller]


@pytest.fixture
def call(call_xapic: Caller) -> Caller:
    """For test_apic_modes.py has the other mode."""
    return call_xapic


@pytest.fixture
def traced(
    iso: str, state: Callable[[str], str], symbols: dict[str, Symbol], tmp_path: Path
) -> Iterator[Traced]:
    """A machine at the prompt that logs each write to its controllers."""
    socket = str(tmp_path / "gdb")
    options = (*WAYS_TO_BOOT["xAPIC"]["options"], *TRACE, *gdbstub.options(socket))
    with Qemu(iso, state=state("xAPIC"), options=options) as machine, GdbStub(socket) as stub:
        yield machine, Caller(stub, symbols)


def pins(machine: Qemu) -> list[tuple[int, int]]:
    """Each pin's redirection: the lower half, and the destination."""
    found = re.findall(r"pin \d+ +(0x[0-9a-f]+) dest=([0-9a-f]+)", machine.hmp("info pic"))
    return [(int(low, 16) & 0xFFFFFFFF, int(to, 16)) for low, to in found]


def local(call: Caller, *registers: int) -> list[int]:
    return [call("lapic_read", register) & 0xFFFFFFFF for register in registers]


def local_writes(log: str) -> list[tuple[int, int]]:
    """What is written to which registers of the local APIC, in order. QEMU 7.2 tells a register's
    address, QEMU 10.0 its number."""
    found = LOCAL_WRITE.findall(log)
    return [(int(at or f"{number}0", 16), int(value, 16)) for at, number, value in found]


def written(log: str, register: int) -> list[int]:
    return [value for at, value in local_writes(log) if at == register]


def selected(log: str) -> list[int]:
    """Which registers of the I/O APIC have been selected, in order."""
    return [int(value, 16) for at, _, value in IO_APIC_WRITE.findall(log) if at == "0"]


def test_they_are_set_up_from_any_state(traced: Traced) -> None:
    """All is open at first; then only the NMI's pin is."""
    machine, call = traced
    for register, value in {
        SVR: ENABLED | 0xFE,
        LVT_TIMER: PERIODIC | VECTOR,
        LVT_ERROR: VECTOR,
        LVT_LINT0: EXTINT,
        LVT_LINT1: MASKED,
        TPR: 0xFF,
    }.items():
        call("lapic_write", register, value)
    for irq in range(16):
        call("apic_route", irq, VECTOR)
    call.stub.write(interrupt_of(call, 0), ISA_INTERRUPT.pack(0, 0))  # to a pin that has no other
    call("apic_route", 0, VECTOR)
    assert [low for low, _ in pins(machine)[:3]] == [VECTOR] * 3
    call("tables_open")  # as they are at boot
    machine.forget()
    call("apic_init")

    assert pins(machine) == [(MASKED, 0)] * PINS
    assert local(call, SVR, LVT_ERROR, LVT_LINT1, TPR) == [ENABLED | SPURIOUS, MASKED, NMI, 0]
    assert [value & MASKED for value in local(call, LVT_TIMER, LVT_LINT0)] == [MASKED, MASKED]
    log = machine.log()
    assert written(log, ESR) == [0, 0]  # SDM vol. 3, 10.5.3: the second one clears it
    assert written(log, TPR) == [0]  # the GDB stub has put it back before, by way of CR8
    assert max(selected(log)) == REDIRECTIONS + 2 * (PINS - 1)


@pytest.mark.parametrize(
    "version, pin_count",
    [(None, 0), (0, 0), (0xFFFFFFFF, 0), (1 << 24, 1), (0xFF170011, 24), (0xFF0011, 256)],
)
def test_an_io_apic_is_one_that_answers(
    version: int | None, pin_count: int, call: Caller
) -> None:
    """Where no device is, all bits are 0, or all are 1, or no page can be there: None. Here memory
    answers."""
    call.stub.write(call.scratch, struct.pack("<5I", 0, 0, 0, 0, version or 0))
    place = call.symbols["io_apics"].address + IO_APIC.size  # behind QEMU's
    call.stub.write(place, b"\xff" * IO_APIC.size)
    call("tables_open")
    mapped, panic = (call.symbols[name].address for name in ("paging_map_physical", "panic"))
    call.begin("apic_init")
    while (state := call.stub.run_to(mapped, call.stub.registers()))["rdi"] != IO_APIC_ADDRESS:
        pass
    state = call.stub.run_to(call.read(state["rsp"]))
    state.values["rax"] = 0 if version is None else call.scratch
    call.stub.set_registers(state)
    with call.stub.breakpoints([mapped, panic]):
        state = call.stub.run()
    assert state["rip"] == (mapped if pin_count else panic)
    if pin_count:
        added = IO_APIC.unpack(call.stub.read(place, IO_APIC.size))
        assert added == (call.scratch, 0, pin_count)


def test_an_nmi_has_its_handler_before_it_can_come(call: Caller) -> None:
    place = call.symbols["handlers"].address + 8 * NMI_VECTOR
    call.stub.write(place, call.symbols["panic_trap"].address.to_bytes(8, "little"))
    call("tables_open")
    call.begin("apic_init")
    call.stub.run_to(call.symbols["apic_init_local"].address)
    assert call.read(place) == call.symbols["only_count"].address


def test_only_pages_of_registers_are_mapped(at_prompt: Start) -> None:
    """And they are not cached: PCD."""
    with at_prompt("xAPIC") as machine:
        found = re.findall(r": 0{8}(fe[ce]0\d000) (\S+)", machine.hmp("info tlb"))
    assert sorted(address for address, _ in found) == ["fec00000", "fee00000"]
    assert all("C" in bits for _, bits in found), found


def test_an_interrupt_goes_to_this_cpu_whatever_its_id(traced: Traced) -> None:
    """And before it can, its way is there."""
    machine, call = traced
    entry = REDIRECTIONS + 2 * KEYBOARD_IRQ
    call("lapic_write", ID, ANOTHER_ID << 24)
    machine.forget()
    call("apic_route", KEYBOARD_IRQ, VECTOR)
    assert pins(machine)[KEYBOARD_IRQ] == (VECTOR, ANOTHER_ID)
    assert selected(machine.log()) == [entry + 1, entry]
    call("apic_route_nmi", KEYBOARD_IRQ)
    assert pins(machine)[KEYBOARD_IRQ] == (NMI, ANOTHER_ID)
    call("apic_mask", KEYBOARD_IRQ)
    assert pins(machine)[KEYBOARD_IRQ] == (MASKED, ANOTHER_ID)

    assert not call("apic_is_pending", VECTOR) & 0xFF
    call("apic_send_self", VECTOR)
    assert local_writes(machine.log()) == [(ICR_HIGH, ANOTHER_ID << 24), (ICR, VECTOR | ASSERT)]
    assert local(call, IRR + VECTOR // 32 * 16) == [1 << VECTOR % 32]
    assert call("apic_is_pending", VECTOR) & 0xFF
    call("apic_send_self", NMI)
    assert call("trap_count", NMI_VECTOR) == 1


class Plain:
    """Memory in the place of the local APIC's registers, all 0 at first."""

    def __init__(self, call: Caller) -> None:
        self._stub = call.stub
        self._address = call.scratch
        call.stub.write(call.scratch, bytes(LAPIC_SIZE))
        call.stub.write(call.symbols["lapic"].address, call.scratch.to_bytes(8, "little"))

    def __setitem__(self, offset: int, value: int) -> None:
        self._stub.write(self._address + offset, value.to_bytes(4, "little"))

    def __getitem__(self, offset: int) -> int:
        return int.from_bytes(self._stub.read(self._address + offset, 4), "little")


def test_each_vector_has_its_bit(call: Caller) -> None:
    plain = Plain(call)
    for vector in (0, 31, 32, 33, 95, 128, 254, 255):
        register, bit = vector // 32 * 16, 1 << vector % 32
        plain[ISR + register] = bit
        assert call("apic_in_service", vector) & 0xFF == 1
        plain[ISR + register] = ~bit & 0xFFFFFFFF
        assert call("apic_in_service", vector) & 0xFF == 0
        plain[ISR + register] = 0


STEPS = 300  # far more than a function takes that does not wait


def returns(call: Caller, back: int) -> bool:
    """Whether a function that has begun is at its end soon, and not in a loop."""
    state = call.stub.registers()
    for _ in range(STEPS):
        state = call.stub.step(state)
        if state["rip"] == back:
            return True
    return False


def test_only_what_is_in_service_is_ended(call: Caller) -> None:
    plain = Plain(call)
    plain[EOI] = 1
    assert call("apic_end", VECTOR) & 0xFF == 0
    assert plain[EOI] == 1
    plain[ISR + VECTOR // 32 * 16] = 1 << VECTOR % 32
    assert call("apic_end", VECTOR) & 0xFF == 1
    assert plain[EOI] == 0


def test_all_that_is_in_service_is_ended(call: Caller) -> None:
    """What is in the registers behind these, TMR, does not count."""
    plain = Plain(call)
    plain[TMR] = 1
    for register in range(ISR, TMR, 16):
        plain[register] = 1 << 31
        plain[EOI] = 1
        back = call.begin("apic_eoi_all")
        assert not returns(call, back)
        assert plain[EOI] == 0
        plain[register] = 0
        assert returns(call, back)


def test_a_command_is_waited_for(call: Caller) -> None:
    """Until it is no longer pending, and a fixed interrupt is requested."""
    plain = Plain(call)
    plain[ID] = ANOTHER_ID << 24 | 0xFFFF  # with bits that are reserved
    back = call.begin("apic_send_self", VECTOR | PENDING)
    assert not returns(call, back)
    assert (plain[ICR_HIGH], plain[ICR]) == (ANOTHER_ID << 24, VECTOR | PENDING | ASSERT)
    plain[ICR] = VECTOR
    assert not returns(call, back)
    plain[IRR + VECTOR // 32 * 16] = 1 << VECTOR % 32
    assert returns(call, back)


@pytest.mark.parametrize("delivery", range(1, 8))
def test_only_a_fixed_interrupt_has_to_be_requested(delivery: int, call: Caller) -> None:
    plain = Plain(call)
    back = call.begin("apic_send_self", delivery << 8 | PENDING)
    assert not returns(call, back)
    plain[ICR] = delivery << 8
    assert returns(call, back)


def interrupt_of(call: Caller, irq: int) -> int:
    """The address of what the MADT has said of an ISA interrupt."""
    return call.symbols["madt"].address + ISA_INTERRUPTS + irq * ISA_INTERRUPT.size


def test_polarity_and_trigger_are_the_madts(call: Caller) -> None:
    """Of the flags' two fields each, 3 is the one that is not the ISA bus's: ACPI 6.4, table 5-50."""
    io_apic = IO_APIC.pack(call.scratch, 0, PINS)
    call.stub.write(call.symbols["io_apics"].address, io_apic)
    for flags in range(16):
        call.stub.write(interrupt_of(call, KEYBOARD_IRQ), ISA_INTERRUPT.pack(0, flags))
        call("apic_route", KEYBOARD_IRQ, VECTOR)
        due = VECTOR | (flags & 3 == 3) * ACTIVE_LOW | (flags >> 2 == 3) * LEVEL
        assert call.read(call.scratch + WINDOW, 4) == due


def test_the_destination_is_the_id_alone(call: Caller) -> None:
    """Without the bits beside it, which are reserved. The window has it before the pin opens."""
    plain = Plain(call)
    plain[ID] = ANOTHER_ID << 24 | 0xFFFF
    registers = call.scratch + LAPIC_SIZE
    call.stub.write(call.symbols["io_apics"].address, IO_APIC.pack(registers, 0, PINS))
    call.stub.write(registers, bytes(WINDOW + 4))
    call.begin("apic_route", KEYBOARD_IRQ, VECTOR)
    state = call.stub.registers()
    for _ in range(STEPS):
        if destination := call.read(registers + WINDOW, 4):
            break
        state = call.stub.step(state)
    assert destination == ANOTHER_ID << 24


def test_each_interrupt_goes_to_the_io_apic_that_has_it(call: Caller) -> None:
    """The first is QEMU's, for 0 to 23; the second for 24 to 31 is memory. What is behind them counts
    for nothing."""
    assert call.read(call.symbols["io_apic_count"].address) == 1
    first = IO_APIC.unpack(call.stub.read(call.symbols["io_apics"].address, IO_APIC.size))
    assert first[1:] == (0, PINS)
    both = IO_APIC.pack(call.scratch, 0, PINS) + IO_APIC.pack(call.scratch + 64, PINS, 8)
    behind = IO_APIC.pack(call.scratch, 32, 8)
    call.stub.write(call.symbols["io_apics"].address, both + behind)
    call.stub.write(call.symbols["io_apic_count"].address, struct.pack("<Q", 2))
    interrupt = interrupt_of(call, KEYBOARD_IRQ)
    for gsi, at, pin in [(0, 0, 0), (23, 0, 23), (24, 64, 0), (31, 64, 7)]:
        call.stub.write(interrupt, ISA_INTERRUPT.pack(gsi, 0))
        call.stub.write(call.scratch, bytes(128))
        call("apic_route", KEYBOARD_IRQ, VECTOR)
        chosen = call.scratch + at
        index, value = call.read(chosen + INDEX, 4), call.read(chosen + WINDOW, 4)
        assert (index, value) == (REDIRECTIONS + 2 * pin, VECTOR)
        assert call.read(call.scratch + 64 - at, 4) == 0
    call.stub.write(interrupt, ISA_INTERRUPT.pack(32, 0))
    call.begin("apic_route", KEYBOARD_IRQ, VECTOR)
    state = call.stub.run_to(call.symbols["panic"].address)
    assert call.stub.read(state["rdi"], 12) == b"No I/O APIC "
