"""The page tables that the CPU runs on, read from physical memory and not by the kernel's word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from qemu import Qemu
from elf.symbols import Symbol

PAGE_SIZE = 4096
KERNEL_HALF = 0xFFFF_8000_0000_0000

# Page-table entries: SDM vol. 3, tables 4-15 to 4-20.
P, RW, US, PS, XD = 1 << 0, 1 << 1, 1 << 2, 1 << 7, 1 << 63
ADDRESS = 0x000F_FFFF_FFFF_F000

# SDM vol. 3, 2.5, and vol. 4 (IA32_EFER).
CR0_WP = 1 << 16
CR4_UMIP, CR4_SMEP, CR4_SMAP = 1 << 11, 1 << 20, 1 << 21
EFER_NXE = 1 << 11

# The task state segment in long mode: SDM vol. 3, figure 7-11.
TSS_SIZE = 104
TSS_STACKS = {"RSP0": 4, **{f"IST{n}": 28 + 8 * n for n in range(1, 8)}}


@dataclass
class Page:
    """What the walk from CR3 to one page allows."""

    physical: int
    size: int
    writable: bool
    executable: bool
    user: bool


def walk(machine: Qemu, table: int, level: int = 3, base: int = 0) -> Iterator[tuple[int, Page]]:
    """Yield (virtual address, page) for all that the table at physical address @table maps."""
    data = machine.physical(table, PAGE_SIZE)
    for index in range(512):
        entry = int.from_bytes(data[index * 8 : index * 8 + 8], "little")
        if not entry & P:
            continue
        virtual = base + (index << (12 + 9 * level))
        if level == 3 and index >= 256:
            virtual |= 0xFFFF << 48
        rights = Page(
            entry & ADDRESS,
            1 << (12 + 9 * level),
            bool(entry & RW),
            not entry & XD,
            bool(entry & US),
        )
        if level == 0 or entry & PS:
            yield virtual, rights
            continue
        for address, page in walk(machine, entry & ADDRESS, level - 1, virtual):
            page.writable &= rights.writable
            page.executable &= rights.executable
            page.user &= rights.user
            yield address, page


@pytest.fixture(params=["bios", "uefi"], scope="module")
def running(request: pytest.FixtureRequest, at_prompt) -> Iterator[Qemu]:
    with at_prompt(request.param) as machine:
        machine.qmp("stop")
        yield machine


@pytest.fixture(scope="module")
def pages(running: Qemu) -> dict[int, Page]:
    return dict(walk(running, running.registers()["CR3"] & ADDRESS))


@pytest.fixture(scope="module")
def stacks(running: Qemu) -> dict[str, int]:
    """The stacks' tops by their slots in the TSS that the CPU has loaded, and RSP itself."""
    base = int(re.search(r"^TR =\S+ (\S+)", running.hmp("info registers"), re.MULTILINE)[1], 16)
    tss = running.virtual(base, TSS_SIZE)
    tops = {
        name: int.from_bytes(tss[offset : offset + 8], "little")
        for name, offset in TSS_STACKS.items()
    }
    tops["RSP"] = running.registers()["RSP"]
    return {name: top for name, top in tops.items() if top}


def test_no_page_is_writable_and_executable(pages: dict[int, Page]) -> None:
    assert pages
    both = [hex(address) for address, page in pages.items() if page.writable and page.executable]
    assert both == []


def test_all_pages_are_of_4_kib(pages: dict[int, Page]) -> None:
    assert {page.size for page in pages.values()} == {PAGE_SIZE}


def test_page_0_and_the_identity_map_are_gone(pages: dict[int, Page]) -> None:
    assert 0 not in pages
    assert [hex(address) for address, page in pages.items() if address == page.physical] == []


def test_ring_3_reaches_nothing_of_the_kernel(pages: dict[int, Page]) -> None:
    assert [hex(a) for a, page in pages.items() if page.user and a >= KERNEL_HALF] == []


@pytest.mark.parametrize(
    "part, writable, executable",
    [
        ("text", False, True),
        ("rodata", False, False),
        ("data", True, False),
        ("tables", False, False),
    ],
)
def test_each_part_of_the_image_has_the_access_of_its_name(
    pages: dict[int, Page],
    symbols: dict[str, Symbol],
    part: str,
    writable: bool,
    executable: bool,
) -> None:
    start, end = (symbols[f"{part}_{name}"].address for name in ("start", "end"))
    assert start < end
    tables = range(symbols["tables_start"].address, symbols["tables_end"].address)
    for address in range(start, end, PAGE_SIZE):
        if part == "data" and address in tables:
            continue
        page = pages[address]
        assert (page.writable, page.executable) == (writable, executable), hex(address)


# Code, stack and data of programs: linker.ld and kernel/cpu/layout.def; kernel/faults/fault_pages.def.
USER_PAGES = range(0x400000, 0x1000000)


def test_the_top_of_ring_3_is_unmapped(pages: dict[int, Page]) -> None:
    """A SYSCALL in its last bytes would return to what is no address, and that is #GP in ring 0 on some
    CPUs. Nothing of ring 3's is near the kernel's stacks either."""
    user = [address for address, page in pages.items() if page.user]
    assert user and all(address in USER_PAGES for address in user)


def test_every_stack_has_a_guard_page_of_its_own(
    pages: dict[int, Page], stacks: dict[str, int]
) -> None:
    """Down from its top a stack must end in an unmapped page before another one begins."""
    assert {"RSP0", "IST1", "IST2"} <= stacks.keys()
    bottoms = {}
    for name, top in stacks.items():
        page = (top - 1) & -PAGE_SIZE
        assert page in pages, name
        while page in pages:
            assert pages[page].writable and not pages[page].executable, name
            page -= PAGE_SIZE
        bottoms[name] = page
        # It also must not run on upwards into what lies above: an underflow is a bug as well.
        if name != "RSP":
            assert top % PAGE_SIZE == 0 and top not in pages, name
    separate = {bottom for name, bottom in bottoms.items() if name.startswith("IST")}
    assert len(separate) == sum(name.startswith("IST") for name in bottoms)
    assert bottoms["RSP"] not in separate


def test_the_cpu_enforces_it(running: Qemu) -> None:
    registers = running.registers()
    assert registers["CR0"] & CR0_WP
    assert registers["EFER"] & EFER_NXE
    wanted = CR4_UMIP | CR4_SMEP | CR4_SMAP
    assert registers["CR4"] & wanted == wanted
