"""What the kernel writes for the CPU to read, bit by bit against the manuals: IDT, GDT and TSS; and its
own tables of handlers. None of them is written beyond its end."""

from __future__ import annotations

import re
import struct

import pytest

from calling import Caller
from gdbstub import GdbStub
from qemu import Qemu

VECTOR_COUNT = 256

# kernel/trap/regs.h in 64-bit words, and the places of some of them.
REGS = struct.Struct("<22Q")
RAX, VECTOR, RIP = 14, 15, 17
NO_FLAGS = 1 << 1  # RFLAGS has bit 1 always set: SDM vol. 1, 3.4.3

STUB_SIZE = 16
NMI, BP, OF, DF, GP, PF, MC = 2, 3, 4, 8, 13, 14, 18
DEVICES = {NMI, 39, 47, 64, 65, 68, 255}  # vectors that have a handler: kernel/trap/vectors.def
CALL_FROM_RING_3 = 128

# kernel/cpu/layout.def: struct cpu, and the tops of its stacks.
CPU = 0xFFFFFFFFD0000000
KERNEL_STACK, DF_STACK, MC_STACK = CPU + 0x9000, CPU + 0xC000, CPU + 0xF000

# SDM vol. 3, figure 6-8: the offset's low half, selector, IST, attributes, the rest of the offset.
GATE = struct.Struct("<HHBBHII")
INTERRUPT_GATE = 0x8E  # present, DPL 0, type 14
DPL_3 = 3 << 5

# SDM vol. 3, figure 7-11: RSP0 to RSP2, IST1 to IST7, and where the I/O permission map begins.
TSS = struct.Struct("<I3QQ7QQHH")
RSP0 = 4

# SDM vol. 3, figures 3-8, 5-1 and 7-4. P and S, and from 40 on the type.
LIMIT_4_GIB = 0x008F_0000_0000_FFFF
PRESENT, RING_3, SEGMENT, BITS_64, BITS_32 = 1 << 47, 3 << 45, 1 << 44, 1 << 53, 1 << 54
DATA = LIMIT_4_GIB | SEGMENT | BITS_32 | 0x2 << 40  # read/write
CODE = LIMIT_4_GIB | SEGMENT | 0xA << 40  # execute/read
ACCESSED = 1 << 40  # from the start: the CPU could not set it, for the table is read-only
TSS_BUSY = 0xB << 40
KERNEL_CODE, KERNEL_DATA, TSS_SELECTOR = 0x08, 0x10, 0x30
SPARE = 0x48
TABLE = 1 << 2  # of a selector: the LDT. SDM vol. 3, figure 3-6
GDT = [
    0,
    PRESENT | CODE | BITS_64 | ACCESSED,
    PRESENT | DATA | ACCESSED,
    PRESENT | RING_3 | CODE | BITS_32 | ACCESSED,
    PRESENT | RING_3 | DATA | ACCESSED,
    PRESENT | RING_3 | CODE | BITS_64 | ACCESSED,
    PRESENT | TSS_BUSY | (CPU >> 24 & 0xFF) << 56 | (CPU & 0xFFFFFF) << 16 | TSS.size - 1,
    CPU >> 32,
    DATA | ACCESSED,
    0,
    0,
]


def register(machine: Qemu, name: str) -> list[int]:
    """The words that `info registers` has of a segment or table register."""
    line = re.search(rf"^{name} ?=((?: *\b[0-9a-f]+)+)", machine.hmp("info registers"), re.MULTILINE)
    return [int(word, 16) for word in line[1].split()]


def test_each_gate_leads_to_its_stub(machine: Qemu, symbols) -> None:
    base, limit = register(machine, "IDT")
    assert (base, limit) == (symbols["idt"].address, VECTOR_COUNT * GATE.size - 1)
    for vector, gate in enumerate(GATE.iter_unpack(machine.virtual(base, limit + 1))):
        stub = symbols["isr_0_DE"].address + vector * STUB_SIZE
        ist = {DF: 1, MC: 2}.get(vector, 0)
        dpl = DPL_3 if vector in (BP, OF, CALL_FROM_RING_3) else 0
        offset = (stub & 0xFFFF, stub >> 16 & 0xFFFF, stub >> 32)
        assert gate == (offset[0], KERNEL_CODE, ist, INTERRUPT_GATE | dpl, *offset[1:], 0), vector


@pytest.mark.parametrize("entry", ["", "call-gate"])
def test_each_segment(entry: str, machine: Qemu) -> None:
    """Also after an entry that has put a descriptor of its own there."""
    if entry:
        machine.ask(f"raise {entry}")
    base, limit = register(machine, "GDT")
    assert (base, limit) == (CPU + TSS.size, 8 * len(GDT) - 1)
    found = list(struct.unpack(f"<{len(GDT)}Q", machine.virtual(base, limit + 1)))
    assert [hex(each) for each in found] == [hex(each) for each in GDT]
    loaded = {name: register(machine, name)[0] for name in "CS SS DS ES FS GS TR".split()}
    assert loaded.pop("CS") == KERNEL_CODE
    assert loaded.pop("TR") == TSS_SELECTOR
    assert set(loaded.values()) == {KERNEL_DATA}
    assert register(machine, "LDT")[:3] == [0, 0, 0]


def test_the_task_state(machine: Qemu) -> None:
    base, limit = register(machine, "TR")[1:3]
    assert (base, limit) == (CPU, TSS.size - 1)
    io_map = TSS.size  # beyond the limit: no port is open to ring 3
    stacks = [KERNEL_STACK, 0, 0, 0, DF_STACK, MC_STACK, 0, 0, 0, 0, 0]
    assert list(TSS.unpack(machine.virtual(base, TSS.size))) == [0, *stacks, 0, 0, io_map]


def test_the_base_of_a_code_segment(call: Caller) -> None:
    """64-bit code has none; and the kernel has no LDT."""
    base, behind = 0x8123_4566, 8 * len(GDT)
    descriptor = PRESENT | CODE | BITS_32 | (base >> 24) << 56 | (base & 0xFFFFFF) << 16
    for selector in (SPARE, behind):
        call.stub.write(CPU + TSS.size + selector, descriptor.to_bytes(8, "little"))
    assert call("gdt_code_base", SPARE) == call("gdt_code_base", SPARE | 3) == base
    assert call("gdt_code_base", SPARE | TABLE) == call("gdt_code_base", behind) == 0
    long = descriptor ^ BITS_32 ^ BITS_64
    call.stub.write(CPU + TSS.size + SPARE, long.to_bytes(8, "little"))
    assert call("gdt_code_base", SPARE) == 0


def test_no_vector_has_a_line_behind_the_table(call: Caller) -> None:
    """A backtrace asks for that of a damaged frame."""
    first, second = call("vector_info", 0), call("vector_info", 1)
    behind = first + VECTOR_COUNT * (second - first)
    call.stub.write(behind, b"\xff" * (second - first))
    assert call("vector_info", VECTOR_COUNT) == 0


def test_who_leaves_a_ring_has_the_kernels_segments(call: Caller) -> None:
    call("ring_leave", call.scratch, 5)
    regs = REGS.unpack(call.stub.read(call.scratch, REGS.size))
    assert regs[RAX] == 5
    rip = call.symbols["ring_return"].address
    rsp0 = call.read(CPU + RSP0)
    assert regs[RIP:] == (rip, KERNEL_CODE, NO_FLAGS, rsp0, KERNEL_DATA)


def handlers(call: Caller, table: str) -> list[int]:
    """The addresses in a table of handlers, by vector."""
    data = call.stub.read(call.symbols[table].address, 8 * VECTOR_COUNT)
    return list(struct.unpack(f"<{VECTOR_COUNT}Q", data))


def test_each_vector_has_a_handler(call: Caller) -> None:
    """A fault that a peek may cause is looked up in front of the others' handler."""
    panic_trap, fix_up = (call.symbols[name].address for name in ("panic_trap", "fix_up"))
    first, behind = handlers(call, "handlers"), handlers(call, "handlers_behind")
    found = {vector for vector in range(VECTOR_COUNT) if first[vector] != panic_trap}
    assert found == DEVICES | {GP, PF}
    assert first[GP] == first[PF] == fix_up
    assert behind[GP] == behind[PF] == panic_trap


@pytest.mark.parametrize("vector", [0, GP, PF, VECTOR_COUNT - 2])
def test_a_handler_is_changed_for_its_vector_alone(vector: int, call: Caller) -> None:
    table = "handlers_behind" if vector in (GP, PF) else "handlers"
    other = call.symbols["apic_eoi"].address
    due = {name: handlers(call, name) for name in ("handlers", "handlers_behind")}
    call("tables_open")
    assert not call("trap_is_expected", vector) & 0xFF
    assert call("trap_handler", vector, other) == due[table][vector]
    assert call("trap_is_expected", vector) & 0xFF
    due[table][vector] = other
    assert {name: handlers(call, name) for name in due} == due


def test_no_handler_is_swapped_behind_the_table(call: Caller) -> None:
    others, behind = call.scratch, call.scratch + 8 * VECTOR_COUNT
    sentinel = call.symbols["apic_eoi"].address
    call("memset", others, 0, 8 * VECTOR_COUNT)
    call.stub.write(behind, sentinel.to_bytes(8, "little"))
    call("tables_open")
    call("trap_swap_handlers", others)
    assert call.read(behind) == sentinel


def test_no_handler_is_taken_from_behind_the_table(call: Caller) -> None:
    """Nor is anything counted there: what lies on the stack may have been overwritten."""
    call.stub.write(call.scratch + 8 * VECTOR, VECTOR_COUNT.to_bytes(4, "little"))
    call.begin("trap_dispatch", call.scratch)
    panic, panic_trap = (call.symbols[name].address for name in ("panic", "panic_trap"))
    with call.stub.breakpoints([panic, panic_trap]):
        state = call.stub.run()
    assert state["rip"] == panic
    assert call.stub.read(state["rdi"], 12) == b"The frame at"


# Who writes which table anew.
WRITERS = [
    ("idt_init", "idt"),
    ("trap_init", "handlers"),
    ("interruptions_begin", "counts"),
    ("interruptions_note", "counts"),
]


@pytest.mark.parametrize("function, table", WRITERS)
def test_a_table_is_not_written_beyond_its_end(function: str, table: str, call: Caller) -> None:
    behind = call.symbols[table].end
    sentinel = bytes(range(0xA0, 0xB0))
    call.stub.write(behind, sentinel)
    call("tables_open")
    call(function, call.symbols["faults_start" if "note" in function else "panic_trap"].address)
    assert call.stub.read(behind, len(sentinel)) == sentinel


# What each table is, and where: a symbol, or struct cpu and how far into it.
CLOSED = {
    "IDT": ("idt", 14 * GATE.size),
    "GDT": (CPU, TSS.size + KERNEL_CODE),
    "TSS": (CPU, RSP0),
    "handlers": ("handlers", 8 * DF),
    "handlers_behind": ("handlers_behind", 8 * GP),
}


@pytest.mark.parametrize("table", CLOSED)
def test_a_stray_write_to_a_table_is_a_page_fault(
    table: str, call: Caller, stopped: tuple[Qemu, GdbStub]
) -> None:
    place, offset = CLOSED[table]
    address = (call.symbols[place].address if isinstance(place, str) else place) + offset
    before = call.stub.read(address, 8)
    call.begin("memset", address, 0, 8)
    with call.stub.breakpoints([call.symbols["panic_trap"].address, call.symbols["kmain"].address]):
        state = call.stub.run()
    assert state["rip"] == call.symbols["panic_trap"].address, "nothing noticed it"
    assert call.stub.read(address, 8) == before
    call.stub.detach()
    report = stopped[0].wait_for(re.compile(r"KERNEL PANIC(?s:.*)\nSystem Halted\.\n")).group()
    assert "\nError   0x3: write to a protected page in ring 0 [P W]\n" in report
    assert re.search(rf"^CR2 +{address:#018x}$", report, re.MULTILINE)


def test_who_means_it_opens_them_first(call: Caller) -> None:
    """And closes them: a write then goes through once, and no more."""
    address = call.symbols["idt"].address + 200 * GATE.size
    call("tables_open")
    call("memset", address, 0xAA, 8)
    assert call.stub.read(address, 8) == b"\xaa" * 8
    call("tables_close")
    call.begin("memset", address, 0, 8)
    with call.stub.breakpoints([call.symbols["panic_trap"].address, call.symbols["kmain"].address]):
        assert call.stub.run()["rip"] == call.symbols["panic_trap"].address
