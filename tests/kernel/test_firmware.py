"""What firmware and boot loader hand over is input: the kernel says what is wrong with it, and goes
on without it or panics. Each test damages one thing before the kernel's first instruction."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import atstart
from atstart import AtStart, State
from guest import PROMPT
from elf.symbols import Symbol

COMMAND_LINE, MEMORY_MAP, FRAMEBUFFER, ELF_SECTIONS = 1, 6, 8, 9  # Multiboot2 2.0, section 3.6
# ACPI 6.4, table 5-45
IO_APIC, INTERRUPT_OVERRIDE, LOCAL_APIC_ADDRESS_OVERRIDE, LOCAL_X2APIC = 1, 2, 5, 9
SHT_SYMTAB = 2

CR0_PE, CR0_EM, CR0_TS, CR0_ET, CR0_NW, CR0_CD = (1 << bit for bit in (0, 2, 3, 4, 29, 30))
CR4_LA57 = 1 << 12
EFER_SCE = 1 << 0
FINIT = ["FCW=037f", "MXCSR=00001f80"]  # SDM vol. 1, 8.1.5 and 11.6.4
EFER_WRITABLE = 0xD01  # SCE LME LMA NXE


@pytest.fixture(scope="module")
def state(iso: str, symbols: dict[str, Symbol], tmp_path_factory: pytest.TempPathFactory) -> State:
    return atstart.save(iso, symbols, tmp_path_factory.mktemp("at-start") / "state")


@pytest.fixture
def at_start(iso: str, state: State, tmp_path: Path):
    with atstart.at_start(iso, state, tmp_path) as stopped:
        yield stopped


def test_the_loaders_la57_does_not_reach_our_tables(at_start: AtStart) -> None:
    at_start.stub.set_control("cr4", CR4_LA57)
    at_start.go().wait_for(PROMPT)


def test_the_loaders_cr0_is_not_kept(at_start: AtStart) -> None:
    at_start.stub.set_control("cr0", CR0_PE | CR0_EM | CR0_TS | CR0_ET | CR0_NW | CR0_CD)
    machine = at_start.go()
    machine.wait_for(PROMPT)
    assert not machine.registers()["CR0"] & (CR0_EM | CR0_TS | CR0_NW | CR0_CD)


def test_the_loaders_floating_point_state_is_not_kept(at_start: AtStart) -> None:
    at_start.stub.set_control("fctrl", 0)
    at_start.stub.set_control("mxcsr", 0)
    machine = at_start.go()
    machine.wait_for(PROMPT)
    assert re.findall(r"FCW=\w+|MXCSR=\w+", machine.hmp("info registers")) == FINIT


def test_the_loaders_sce_does_not_open_syscall(at_start: AtStart) -> None:
    at_start.stub.set_control("efer", EFER_SCE)
    machine = at_start.go()
    machine.wait_for(PROMPT)
    assert machine.registers()["EFER"] & EFER_WRITABLE == EFER_WRITABLE & ~EFER_SCE


def overrun_tag(start: AtStart) -> None:
    start.write_words(start.tags()[COMMAND_LINE] + 4, 0xFFFFFFF0)


def no_end_tag(start: AtStart) -> None:
    start.write_words(start.tags()[0], 0xFFFF)


def no_entry_size_in_map(start: AtStart) -> None:
    start.write_words(start.tags()[MEMORY_MAP] + 8, 0)


def ram_that_wraps(start: AtStart) -> None:
    first = start.tags()[MEMORY_MAP] + 16
    start.write_words(first, 0xFFFFF000, 0xFFFFFFFF, 0x2000, 0, 1)


def information_too_long(start: AtStart) -> None:
    start.write_words(start.information, 0xFFFFFFFF)


def screen(offset: int, *values: int) -> Callable[[AtStart], None]:
    """Write @values at @offset of the framebuffer's tag, behind its 64-bit address."""
    return lambda start: start.write_words(start.tags()[FRAMEBUFFER] + 16 + offset, *values)


def screen_in_ram(start: AtStart) -> None:
    start.write_words(start.tags()[FRAMEBUFFER] + 8, 0x400000, 0)


def screen_beyond_the_cpu(start: AtStart) -> None:
    start.write_words(start.tags()[FRAMEBUFFER] + 8, 0, 1 << 18)  # 2^50


def section_header(start: AtStart, type_: int) -> int:
    tag = start.tags()[ELF_SECTIONS]
    count, size = start.word(tag + 8), start.word(tag + 12)
    headers = range(tag + 20, tag + 20 + count * size, size)
    return next(at for at in headers if start.word(at + 4) == type_)


def symbols_of_another_size(start: AtStart) -> None:
    start.write_words(section_header(start, SHT_SYMTAB) + 56, 1)


def symbols_without_end(start: AtStart) -> None:
    start.write_words(section_header(start, SHT_SYMTAB) + 32, 0xFFFFFFFF, 0xFFFFFFFF)


def names_without_an_end(start: AtStart) -> None:
    tag = start.tags()[ELF_SECTIONS]
    strtab = tag + 20 + start.word(section_header(start, SHT_SYMTAB) + 40) * start.word(tag + 12)
    last = start.word(strtab + 16) + start.word(strtab + 32) - 1
    start.stub.write(last, b"x")


def no_symbols(start: AtStart) -> None:
    start.write_words(section_header(start, SHT_SYMTAB) + 4, 0)


def table_length(signature: bytes, length: int) -> Callable[[AtStart], None]:
    return lambda start: start.write_words(start.table(signature) + 4, length)


def wrong_checksum(signature: bytes) -> Callable[[AtStart], None]:
    def damage(start: AtStart) -> None:
        checksum = start.table(signature) + 9
        start.stub.write(checksum, bytes([start.stub.read(checksum, 1)[0] ^ 1]))

    return damage


def madt_without_body(start: AtStart) -> None:
    madt = start.table(b"APIC")
    start.write_words(madt + 4, 36)
    start.mend_checksum(madt)


def madt_entry(type_: int, offset: int, data: bytes) -> Callable[[AtStart], None]:
    """Write @data at @offset of the first entry of @type_ in the MADT."""

    def damage(start: AtStart) -> None:
        madt = start.table(b"APIC")
        start.stub.write(start.entry(madt, type_) + offset, data)
        start.mend_checksum(madt)

    return damage


def local_apic(address: int) -> Callable[[AtStart], None]:
    """Say @address in the MADT, by an entry in the place of the I/O APIC's neighbour."""

    def damage(start: AtStart) -> None:
        madt = start.table(b"APIC")
        entry = start.entry(madt, 0)  # a processor's: 8 bytes, with its neighbour's 12 behind it
        neighbour = start.entry(madt, IO_APIC)
        io_apic = start.stub.read(neighbour, 12)
        override = bytes([LOCAL_APIC_ADDRESS_OVERRIDE, 12, 0, 0]) + address.to_bytes(8, "little")
        assert neighbour == entry + 8
        start.stub.write(entry, io_apic + override[:8])
        # The override takes 12 bytes: the next entry, a source override of 10, must make room.
        following = start.stub.read(neighbour + 12, 2)
        assert following[0] == 2
        start.stub.write(entry + 20, override[8:])
        start.stub.write(entry + 24, bytes([0xFF, 6 + following[1] - 10]))
        start.mend_checksum(madt)

    return damage


def another_cpu(id_: int) -> Callable[[AtStart], None]:
    """List a CPU with APIC ID @id_, in the place of the last two of QEMU's five overrides."""

    def damage(start: AtStart) -> None:
        madt = start.table(b"APIC")
        at = start.entry(madt, INTERRUPT_OVERRIDE) + 30
        assert start.stub.read(at, 2) == start.stub.read(at + 10, 2) == bytes([2, 10])
        x2apic = struct.pack("<BBHIII", LOCAL_X2APIC, 16, 0, id_, 1, 0)
        start.stub.write(at, x2apic + bytes([0xFF, 4, 0, 0]))
        start.mend_checksum(madt)

    return damage


# What is damaged, and what the kernel says to it before its prompt.
LEFT_OUT = {
    "no-end-tag": (no_end_tag, "its end tag is missing"),
    "wrapping-ram": (ram_that_wraps, "a range of RAM ends beyond"),
    "screen-of-width-0": (screen(4, 0), "the screen's width or height is 0"),
    "screen-of-height-0": (screen(8, 0), "the screen's width or height is 0"),
    "screen-too-wide": (screen(4, 0xFFFFFFFF), "the screen's width or height is 0 or above"),
    "screen-pitch-0": (screen(0, 0), "the screen's lines overlap"),
    "screen-too-large": (screen(0, 0x80000000), "the screen's memory is above 256 MiB"),
    "screen-in-ram": (screen_in_ram, "the screen's memory overlaps RAM"),
    "screen-beyond-the-cpu": (screen_beyond_the_cpu, "cannot be mapped"),
    "screen-without-colours": (screen(16, 0, 0), "colours do not fit"),
    "symbol-size": (symbols_of_another_size, "the kernel's symbol table is damaged"),
    "symbols-without-end": (symbols_without_end, "the kernel's symbol table is damaged"),
    "names-without-end": (names_without_an_end, "The kernel's symbol table is damaged"),
    "no-symbols": (no_symbols, "The boot loader gave no symbols"),
    "cpu-that-is-not-there": (another_cpu(0x55), "The CPU with APIC ID 85 does not start"),
    "cpu-beyond-xapic": (another_cpu(0x100), "CPUs that are not used: 1."),
    "hpet-length": (table_length(b"HPET", 0xFFFFFFFF), "its length is below 36 bytes or above"),
    "hpet-checksum": (wrong_checksum(b"HPET"), "its checksum is wrong"),
}

PANICS = {
    "tag-overruns": (overrun_tag, "KERNEL PANIC: the boot loader gave no memory map"),
    "information-too-long": (information_too_long, "KERNEL PANIC: the boot loader gave no memory"),
    "map-entry-size-0": (no_entry_size_in_map, "KERNEL PANIC: the boot loader gave no memory map"),
    "rsdt-length": (table_length(b"RSDT", 20), "KERNEL PANIC: The ACPI root table is damaged"),
    "rsdt-checksum": (wrong_checksum(b"RSDT"), "KERNEL PANIC: The ACPI root table is damaged"),
    "madt-checksum": (wrong_checksum(b"APIC"), "KERNEL PANIC: The ACPI tables have no MADT"),
    "madt-without-body": (madt_without_body, "MADT is damaged: it is shorter than its own header"),
    "madt-entry-length-0": (madt_entry(IO_APIC, 1, b"\0"), "an entry does not fit in it"),
    "madt-entry-too-long": (madt_entry(IO_APIC, 1, b"\xff"), "an entry does not fit in it"),
    "cpu-too-short": (madt_entry(0, 1, b"\x06"), "an entry is shorter than its type"),
    "io-apic-too-short": (madt_entry(IO_APIC, 1, b"\x04"), "an entry is shorter than its type"),
    "io-apic-in-ram": (madt_entry(IO_APIC, 4, b"\0\0\x40\0"), "an I/O APIC's address is not"),
    "io-apic-nowhere": (madt_entry(IO_APIC, 4, b"\0\0\0\xd0"), "an I/O APIC at 0xd0000000, where"),
    "local-apic-in-ram": (local_apic(0x400000), "the local APIC's address is not aligned, or"),
    "local-apic-beyond": (local_apic(1 << 51), "address that this CPU has not"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_says_what_it_leaves_out(name: str, at_start: AtStart) -> None:
    damage, message = LEFT_OUT[name]
    damage(at_start)
    machine = at_start.go()
    machine.wait_for(message)
    machine.wait_for(PROMPT)


@pytest.mark.parametrize("name", PANICS)
def test_panics_in_words(name: str, at_start: AtStart) -> None:
    damage, message = PANICS[name]
    damage(at_start)
    machine = at_start.go()
    machine.wait_for(message)
    machine.wait_for("System Halted.")


KEYBOARD_IRQ, KEYBOARD_VECTOR, PIN = 1, 65, 20
ACTIVE_LOW, LEVEL = 1 << 13, 1 << 15  # 82093AA datasheet, 3.2.4


# MPS INTI flags: ACPI 6.4, table 5-50.
@pytest.mark.parametrize("flags, bits", [(0b0101, 0), (0b0011, ACTIVE_LOW), (0b1100, LEVEL)])
def test_an_isa_interrupt_enters_where_the_madt_says(
    flags: int, bits: int, at_start: AtStart
) -> None:
    override = struct.pack("<BIH", KEYBOARD_IRQ, PIN, flags)
    madt_entry(INTERRUPT_OVERRIDE, 3, override)(at_start)
    machine = at_start.go()
    machine.wait_for(PROMPT)
    pins = dict(re.findall(r"pin (\d+) +(0x[0-9a-f]+)", machine.hmp("info pic")))
    assert int(pins[str(PIN)], 16) == KEYBOARD_VECTOR | bits
