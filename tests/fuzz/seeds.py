"""Inputs that the fuzzers begin with: good ones, and each flaw that the kernel must refuse, with the
words that it has for it."""

from __future__ import annotations

import struct
from pathlib import Path

Seeds = dict[str, tuple[bytes, str]]

MEMORY_START = 0x1000  # kernel.h
IO_APIC, SOURCE_OVERRIDE, ADDRESS_OVERRIDE, LOCAL_X2APIC = 1, 2, 5, 9


def tag(type_: int, data: bytes, size: int | None = None) -> bytes:
    """Return a tag of Multiboot2, said to be of @size."""
    padding = bytes(-len(data) % 8)
    return struct.pack("<II", type_, 8 + len(data) if size is None else size) + data + padding


END = tag(0, b"")


def information(*tags: bytes, size: int | None = None) -> bytes:
    body = b"".join(tags)
    return struct.pack("<II", 8 + len(body) if size is None else size, 0) + body


def memory_map(*ranges: tuple[int, int], entry_size: int = 24) -> bytes:
    entries = [struct.pack("<QQII", base, length, 1, 0) for base, length in ranges]
    return tag(6, struct.pack("<II", entry_size, 0) + b"".join(entries))


def screen(
    address: int = 0xFD000000,
    pitch: int = 4096,
    width: int = 1024,
    height: int = 768,
    bits: int = 32,
    kind: int = 1,
    colours: bytes = bytes([16, 8, 8, 8, 0, 8]),
) -> bytes:
    mode = struct.pack("<QIIIBBH", address, pitch, width, height, bits, kind, 0)
    return tag(8, mode + colours)


def section(kind: int, address: int, size: int, link: int = 0, entry: int = 0) -> bytes:
    return struct.pack("<IIQQQQIIQQ", 0, kind, 0, address, 0, size, link, 0, 8, entry)


def sections(
    address: int = 0x200000, size: int = 2400, entry: int = 24, kind: int = 3, link: int = 1
) -> bytes:
    """Return the tag with a symbol table and its names."""
    headers = section(2, address, size, link, entry) + section(kind, 0x300000, 100)
    return tag(9, struct.pack("<III", 2, 64, 0) + headers)


RAM = memory_map((0, 0x9F000), (0x100000, 0x7F00000))
LINE = tag(1, b'run="raise pf-null-read; poweroff" a\\ b\0')

BOOTINFO: Seeds = {
    "good": (information(LINE, RAM, screen(), sections(), END), ""),
    "text": (information(RAM, screen(0xB8000, 160, 80, 25, 16, 2), END), ""),
    "no-end": (information(RAM), "its end tag is missing"),
    "tag-overruns": (information(tag(1, b"run=", 0xFFFFFFF0), END), "a tag does not fit"),
    "tag-of-0": (information(tag(1, b"run=", 0), END), "a tag does not fit"),
    "too-long": (information(RAM, END, size=0xFFFFFFFF), "longer than the memory"),
    "map-entry-0": (information(memory_map((0, 1), entry_size=0), END), "entries are too short"),
    "map-entry-huge": (information(memory_map((0, 1), entry_size=0xFFFFFFFF), END), ""),
    "map-wraps": (information(memory_map((2**64 - 4096, 8192)), END), "range of RAM ends beyond"),
    "map-full": (information(memory_map(*[(0, 4096)] * 65), END), "more than 64 ranges"),
    "screen-short": (information(tag(8, bytes(4)), END), "tag is too short"),
    "screen-width-0": (information(screen(width=0), END), "width or height is 0"),
    "screen-height-0": (information(screen(height=0), END), "width or height is 0"),
    "screen-absurd": (information(screen(width=2**32 - 1), END), "width or height is 0 or above"),
    "screen-pitch-0": (information(screen(pitch=0), END), "lines overlap"),
    "screen-huge": (information(screen(pitch=2**31), END), "above 256 MiB"),
    "screen-wraps": (information(screen(address=2**64 - 4096), END), "beyond all addresses"),
    "screen-in-ram": (information(RAM, screen(address=0x400000), END), "overlaps RAM"),
    "screen-kind": (information(screen(kind=0), END), "neither RGB nor EGA text"),
    "screen-colours": (information(screen(colours=b"\xff" * 6), END), "colours do not fit"),
    "sections-short": (information(tag(9, bytes(4)), END), "ELF sections is too short"),
    "symbol-size": (information(sections(entry=16), END), "symbol table is damaged"),
    "symbols-huge": (information(sections(size=2**64 - 1), END), "symbol table is damaged"),
    "symbols-wrap": (information(sections(address=2**64 - 1), END), "symbol table is damaged"),
    "symbols-no-names": (information(sections(kind=1), END), "symbol table is damaged"),
    "symbols-link": (information(sections(link=99), END), ""),
}


def sum_to_0(data: bytes, at: int) -> bytes:
    """Return @data with the byte at @at such that all sum up to 0."""
    rest = data[:at] + b"\0" + data[at + 1 :]
    return rest[:at] + bytes([-sum(rest) & 0xFF]) + rest[at + 1 :]


def table(signature: bytes, body: bytes, length: int | None = None, good: bool = True) -> bytes:
    """Return an ACPI table, said to be of @length, with a checksum that is @good."""
    said = 36 + len(body) if length is None else length
    head = struct.pack("<4sIBB6s8sIII", signature, said, 4, 0, b"OEM", b"TABLE", 1, 0, 1)
    right = sum_to_0(head + body, 9)
    return right if good else right[:9] + bytes([right[9] ^ 1]) + right[10:]


def rsdp(xsdt: int, signature: bytes = b"RSD PTR ") -> bytes:
    data = struct.pack("<8sB6sBIIQB3s", signature, 0, b"OEM", 2, 0, 36, xsdt, 0, b"")
    return sum_to_0(sum_to_0(data[:20], 8) + data[20:], 32)


def machine(*tables: bytes, root: bytes | None = None) -> bytes:
    """Return an RSDP and what it leads to: an XSDT that lists @tables, or @root, and the tables."""
    at = MEMORY_START + 36 + 8 * len(tables)
    pointers = []
    for data in tables:
        pointers.append(at)
        at += len(data)
    listed = table(b"XSDT", struct.pack(f"<{len(pointers)}Q", *pointers))
    return rsdp(MEMORY_START) + (root or listed) + b"".join(tables)


def io_apic(address: int = 0xFEC00000, length: int = 12) -> bytes:
    return struct.pack("<BBBBII", IO_APIC, length, 0, 0, address, 0)


def local_apic(address: int, length: int = 12) -> bytes:
    return struct.pack("<BBHQ", ADDRESS_OVERRIDE, length, 0, address)


def madt(*entries: bytes, address: int = 0xFEE00000) -> bytes:
    return table(b"APIC", struct.pack("<II", address, 1) + b"".join(entries))


def x2apic(id_: int, flags: int = 1, length: int = 16) -> bytes:
    return struct.pack("<BBHIII", LOCAL_X2APIC, length, 0, id_, flags, 0)


OVERRIDE = struct.pack("<BBBBIH", SOURCE_OVERRIDE, 10, 0, 0, 2, 0)
S5 = b"\x08_S5_\x12\x06\x04\x0a\x05\x0a\x05\x00\x00"


def fadt(dsdt: int) -> bytes:
    return table(b"FACP", bytes(140 - 36) + struct.pack("<Q", dsdt))


def with_dsdt(aml: bytes) -> bytes:
    """Return a good machine() whose DSDT is @aml."""
    where = MEMORY_START + 36 + 16
    good = madt(io_apic(), OVERRIDE)
    return machine(good, fadt(where + len(good) + 148)) + table(b"DSDT", aml)


ACPI: Seeds = {
    "good": (with_dsdt(S5), "S5: 5 5"),
    "s5-ends": (with_dsdt(b"_S5_\x12"), ""),
    "s5-length-ends": (with_dsdt(b"_S5_\x12\xc0"), ""),
    "s5-value-ends": (with_dsdt(b"_S5_\x12\x06\x04\x0a\x05\x0a"), ""),
    "override": (machine(madt(io_apic(), local_apic(0xFEE00000))), ""),
    "no-rsdp": (rsdp(MEMORY_START, b"RSD QTR "), "offers no ACPI tables"),
    "root-nowhere": (rsdp(2**63), "this CPU has no such address"),
    "root-signature": (machine(root=table(b"XXXX", b"")), "The ACPI root table is damaged"),
    "root-checksum": (machine(root=table(b"XSDT", b"", good=False)), "its checksum is wrong"),
    "root-too-long": (machine(root=table(b"XSDT", b"", 2**32 - 1)), "its length is below 36"),
    "root-too-short": (machine(root=table(b"XSDT", b"", 35)), "its length is below 36"),
    "root-full": (machine(*[madt(io_apic())] * 65), "of 65 tables the first 64 are used"),
    "table-checksum": (machine(table(b"APIC", b"", good=False)), "its checksum is wrong"),
    "madt-short": (machine(table(b"APIC", b"\0\0\0\0")), "shorter than its own header"),
    "madt-empty": (machine(madt()), "it lists no I/O APIC"),
    "madt-entry-0": (machine(madt(io_apic(length=0))), "an entry does not fit"),
    "madt-entry-long": (machine(madt(io_apic(length=255))), "an entry does not fit"),
    "madt-half-entry": (machine(madt(io_apic(), b"\x01")), "an entry does not fit"),
    "io-apic-short": (machine(madt(b"\x01\x02")), "an entry is shorter than its type"),
    "override-short": (machine(madt(b"\x02\x02")), "an entry is shorter than its type"),
    "local-apic-short": (machine(madt(b"\x05\x02")), "an entry is shorter than its type"),
    "io-apic-in-ram": (machine(madt(io_apic(0x400000))), "an I/O APIC's address is not aligned"),
    "io-apic-odd": (machine(madt(io_apic(0xFEC00001))), "an I/O APIC's address is not aligned"),
    "local-apic-odd": (machine(madt(io_apic(), address=0xFEE00001)), "local APIC's address is not"),
    "x2apic": (machine(madt(io_apic(), x2apic(0x12345678), x2apic(5))), "CPU 305419896\nCPU 5\n"),
    "x2apic-highest": (machine(madt(io_apic(), x2apic(2**32 - 2))), "CPU 4294967294\n"),
    "x2apic-everybody": (machine(madt(io_apic(), x2apic(2**32 - 1))), "CPUs left out: 1\n"),
    "x2apic-not-enabled": (machine(madt(io_apic(), x2apic(300, 0))), "CPUs left out: 0\n"),
    "x2apic-twice": (machine(madt(io_apic(), x2apic(300), x2apic(300))), "out: 0\nCPU 300\n"),
    "x2apic-short": (machine(madt(b"\x09\x02")), "an entry is shorter than its type"),
    "cpus-33": (machine(madt(io_apic(), *map(x2apic, range(300, 333)))), "CPUs left out: 1\n"),
    "io-apics-9": (machine(madt(*[io_apic()] * 9)), ""),
}


def symbol(name: int, value: int, size: int, kind: int = 2, index: int = 1) -> bytes:
    return struct.pack("<IBBHQQ", name, kind, 0, index, value, size)


def symbols(names: bytes, *entries: bytes) -> bytes:
    return struct.pack("<H", len(names)) + names + b"".join(entries)


SYMBOLS: Seeds = {
    "good": (symbols(b"\0start\0", symbol(1, 0x10100000, 32)), "start+0x10"),
    "label": (symbols(b"\0label\0", symbol(1, 0x10100000, 0, 0)), "label+0x10"),
    "names-without-end": (symbols(b"\0start", symbol(1, 0x10100000, 32)), "table is damaged"),
    "no-names": (symbols(b"", symbol(1, 0x10100000, 32)), "table is damaged"),
    "name-outside": (symbols(b"\0", symbol(2**32 - 1, 0x10100000, 32)), "?"),
    "size-wraps": (symbols(b"\0all\0", symbol(1, 0x10100000, 2**64 - 1)), "all+0xffff"),
    "half": (symbols(b"\0", b"\1"), "?"),
    "none": (symbols(b"\0"), "gave no symbols"),
}


RGB_888 = bytes([16, 8, 8, 8, 0, 8])  # position and size of red, green, blue


def screen_mode(width: int, height: int, bits: int, colours: bytes = RGB_888) -> bytes:
    """Return a framebuffer's tag behind its address, with the compiler's two bytes at the end."""
    return struct.pack("<IIIBBH", width * bits // 8, width, height, bits, 1, 0) + colours + b"\0\0"


TEXT = b"one\ttwo\r\n\x1b[2J\x1b[Hthree\b\x1b[5C\x1b[99999999999999D\x1b[K\x1b[J\x1bOA\x7f\xff" * 2

SCREEN: Seeds = {
    "true-colour": (screen_mode(64, 48, 32) + TEXT, ""),
    "24-bits": (screen_mode(64, 48, 24) + TEXT, ""),
    "16-bits": (screen_mode(64, 48, 16, bytes([11, 5, 5, 6, 0, 5])) + TEXT, ""),
    "one-cell": (screen_mode(8, 16, 32) + TEXT, ""),
    "less-than-a-cell": (screen_mode(1, 1, 32) + TEXT, ""),
    "wide": (screen_mode(4000, 16, 32) + TEXT, ""),
    "1-bit": (screen_mode(64, 48, 1) + TEXT, "less than 15 or more than 32 bits"),
}

ALL: dict[str, Seeds] = {
    "bootinfo": BOOTINFO,
    "acpi": ACPI,
    "symbols": SYMBOLS,
    "screen": SCREEN,
}


def write(directory: Path) -> None:
    """Write the seeds of each fuzzer into a directory of its own below @directory."""
    for fuzzer, seeds in ALL.items():
        (directory / fuzzer).mkdir(parents=True, exist_ok=True)
        for name, (data, _) in seeds.items():
            (directory / fuzzer / name).write_bytes(data)
