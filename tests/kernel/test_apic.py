"""The interrupt controllers as QEMU sees them: how they are set up, and each EOI."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from conftest import NO_SCREEN, Start
from qemu import Qemu

NMI, TIMER, KEYBOARD, COM1, SPURIOUS = 2, 64, 65, 68, 255  # kernel/trap/vectors.def

# SDM vol. 3, figures 10-8 and 10-23; 82093AA datasheet, 3.2.4.
MASKED = 1 << 16
DELIVERY_NMI = 4 << 8
PERIODIC = 1 << 17
APIC_ENABLED = 1 << 8

# In the log of `-d int`, and what WRITES adds: EOI is the register at 0B0H. QEMU 7.2 tells the
# register's address, QEMU 10.0 its number.
INTERRUPT = re.compile(r"Servicing hardware INT=0x([0-9a-f]+)")
WRITES = ("-trace", "apic_*_write*")
EOI = r"^apic_(?:mem_writel 0xb0|register_write register 0x0b) = 0x0+$"
EVENT = re.compile(rf"{INTERRUPT.pattern}|{EOI}", re.MULTILINE)


def events(log: str) -> list[int | None]:
    """Return each interrupt's vector, and None for each EOI, in order."""
    return [int(match[1], 16) if match[1] else None for match in EVENT.finditer(log)]


def test_each_interrupt_is_ended_once(iso: str, state: Callable[[str], str]) -> None:
    """An NMI is not: its EOI would end another interrupt. SDM vol. 3, 10.8.5."""
    with Qemu(iso, state=state("no screen"), options=(*NO_SCREEN, *WRITES)) as machine:
        for _ in range(4):
            machine.ask("help")
            machine.send_key("shift")
            machine.qmp("inject-nmi")
            time.sleep(0.05)  # the timer's turn
        machine.qmp("stop")
        seen = events(machine.log())
        assert NMI in {record.vector for record in machine.interrupts()}
    interrupts, ends = seen[0::2], seen[1::2]
    assert set(interrupts) == {TIMER, KEYBOARD, COM1} and set(ends) == {None}, seen


def lapic(machine: Qemu) -> dict[str, int]:
    """Return the registers of the local APIC."""
    text = machine.hmp("info lapic")
    wide = re.findall(r"^(LVT\w+|SPIV|ESR)\s+(0x[0-9a-f]+)", text, re.MULTILINE)
    return {name: int(value, 16) for name, value in wide + re.findall(r"(TPR) (0x[0-9a-f]+)", text)}


def test_the_local_apic(at_prompt: Start, firmware: str) -> None:
    with at_prompt(firmware) as machine:
        seen = lapic(machine)
    assert seen["LVTT"] == PERIODIC | TIMER
    assert seen["LVT0"] & MASKED and seen["LVTERR"] & MASKED
    assert seen["LVT1"] == DELIVERY_NMI
    assert seen["SPIV"] == APIC_ENABLED | SPURIOUS
    assert (seen["TPR"], seen["ESR"]) == (0, 0)


def test_the_io_apic(at_prompt: Start, firmware: str) -> None:
    """Every pin is masked but the keyboard's and COM1's, which lead to this CPU."""
    with at_prompt(firmware) as machine:
        pins = re.findall(r"pin (\d+) +(0x[0-9a-f]+)", machine.hmp("info pic"))
    routed = {int(pin): int(value, 16) for pin, value in pins if not int(value, 16) & MASKED}
    assert routed == {1: KEYBOARD, 4: COM1}
