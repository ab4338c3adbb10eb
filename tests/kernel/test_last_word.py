"""A kernel that always has the last word: whatever has been destroyed, the report of it comes, whole
and once, and then the machine halts. GDB's stub does the destroying, at the first instruction of an
entry of the catalogue."""

from __future__ import annotations

import re
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import gdbstub
from gdbstub import GdbStub
from guest import ANSWER
from qemu import Qemu
from elf.symbols import Symbol

NOWHERE = 0xFFFF_FFFF_C000_0000  # kernel/cpu/layout.def has nothing there
NON_CANONICAL = 0x8000_FFFF_D000_7000  # all but bits 48 to 62 are those of the kernel stack
IO_APIC = 0xFEC0_0000
SUPERVISOR_CODE = 0x608000  # kernel/faults/fault_pages.def

UD2 = b"\x0f\x0b"
DONE = b"\x31\xc0\xc3"  # xor eax, eax; ret
CODE_BEFORE, CODE_LENGTH = 8, 20  # bytes of code that a report shows in front of RIP, and in all

HALTED = "\nSystem Halted.\n"
REPORT = re.compile(r"\nKERNEL PANIC: (?s:.*)" + HALTED)

Stopped = tuple[Qemu, GdbStub]


def at_entry(stopped: Stopped, symbols: dict[str, Symbol], command: str) -> gdbstub.Registers:
    """Go to the first instruction of the entry that @command ends with."""
    machine, stub = stopped
    machine.type(command)
    name = command.split()[-1].replace("-", "_")
    return stub.run_to(symbols[f"fault_{name}"].address)


def report_of(stopped: Stopped) -> str:
    """Let the machine go on; return its report, which must be all that it has to say."""
    machine, stub = stopped
    stub.detach()
    report = machine.wait_for(REPORT, timeout=20).group()
    is_halted(machine)
    assert machine.text.endswith(report)
    assert "inside the panic report" not in report
    return report


def is_halted(machine: Qemu) -> None:
    """Nothing more comes, and the CPU does nothing."""
    said = machine.text
    time.sleep(0.2)
    assert machine.text == said
    assert "HLT=1" in machine.hmp("info registers")


def frames(report: str) -> list[str]:
    """The names in its backtrace."""
    trace = report[report.index("\nBacktrace\n") :]
    return re.findall(r"^ +#\d+ +0x[0-9a-f]{16} ([^+\s]+)", trace, re.MULTILINE)


def mapped(machine: Qemu, physical: int) -> int:
    """The address at which the kernel has mapped the page at @physical."""
    line = re.search(rf"^([0-9a-f]{{16}}): {physical:016x} ", machine.hmp("info tlb"), re.MULTILINE)
    return int(line[1], 16)


@dataclass
class Case:
    """A trap: the registers that it finds, and its code."""

    name: str
    set: dict[str, int]
    vector: int = 14
    code: bytes = UD2  # in the place of the entry's

    def __str__(self) -> str:
        return self.name


CASES = [
    *(Case(f"rip-{rip}", {"rip": rip}) for rip in range(8)),
    Case("rip-top", {"rip": 2**64 - 1}),
    Case("rip-top-page", {"rip": -16 % 2**64}),
    Case("rip-non-canonical", {"rax": NON_CANONICAL}, 13, b"\xff\xe0"),  # jmp rax
    Case("rip-non-canonical-low", {"rax": 1 << 47}, 13, b"\xff\xe0"),
    Case("rbp-top", {"rbp": -8 % 2**64}, 6),
    Case("rbp-top-page", {"rbp": -16 % 2**64}, 6),
    Case("rbp-non-canonical", {"rbp": NON_CANONICAL}, 6),
    Case("rbp-page-0", {"rbp": 8}, 6),
    Case("rbp-not-present", {"rbp": NOWHERE}, 6),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_report_is_whole(case: Case, stopped: Stopped, symbols: dict[str, Symbol]) -> None:
    machine, stub = stopped
    state = at_entry(stopped, symbols, "panic ud-ud2")
    stub.write(state["rip"], case.code)
    state.values |= case.set
    stub.set_registers(state)
    report = report_of(stopped)
    assert re.search(rf"^Vector +{case.vector} ", report, re.MULTILINE)
    names = frames(report)
    if "rbp" in case.set:
        assert "is no frame of the kernel: the walk ends ---\n" in report
    else:
        assert names[-3:] == ["monitor", "kmain", "higher_half"]
    code = re.search(r"^Code +(.*)$", report, re.MULTILINE)[1].split()
    assert [i for i, word in enumerate(code) if word[0] == "<"] == [CODE_BEFORE]
    assert len(code) == CODE_LENGTH
    if "rip" in case.set or "rax" in case.set:
        assert {word.strip("<>") for word in code} == {"??"}


def test_a_frame_pointer_to_a_device(stopped: Stopped, symbols: dict[str, Symbol]) -> None:
    machine, stub = stopped
    state = at_entry(stopped, symbols, "panic ud-ud2")
    state.values["rbp"] = mapped(machine, IO_APIC) + 0x20
    stub.set_registers(state)
    assert frames(report_of(stopped))[0] == "fault_ud_ud2.here"


def test_protection_keys_of_ring_3_hide_nothing(
    stopped: Stopped, symbols: dict[str, Symbol]
) -> None:
    """Ring 3 forbids all access to the pages of key 0, its own code, and traps by INT3."""
    machine, stub = stopped
    state = at_entry(stopped, symbols, "panic bp-user")
    # xor ecx, ecx; xor edx, edx; push 1; pop rax; wrpkru; int3
    code = bytes.fromhex("31c9 31d2 6a01 58 0f01ef cc")
    stub.write(state["rip"], code)
    report = report_of(stopped)
    assert report.startswith("\nKERNEL PANIC: Breakpoint\n")
    told = re.search(r"^Code +(.*)$", report, re.MULTILINE)[1].split()
    assert bytes.fromhex("".join(told[:CODE_BEFORE])) == code[-CODE_BEFORE:]
    assert "??" not in told[: CODE_BEFORE + 1]
    assert frames(report)[-3:] == ["monitor", "kmain", "higher_half"]


def test_no_fixup_for_ring_3(stopped: Stopped, symbols: dict[str, Symbol]) -> None:
    """It can jump to an instruction that has one: that is its own fault."""
    machine, stub = stopped
    state = at_entry(stopped, symbols, "panic bp-user")
    read = symbols["peek.read"].address
    stub.write(state["rip"], b"\x48\xb8" + read.to_bytes(8, "little") + b"\xff\xe0")
    report = report_of(stopped)
    assert re.search(rf"^RIP +{read:#018x} peek", report, re.MULTILINE)
    assert re.search(r"^CS .* ring 3$", report, re.MULTILINE)
    assert re.search(rf"^CR2 +{read:#018x}$", report, re.MULTILINE)


def test_no_fixup_from_behind_the_table(stopped: Stopped, symbols: dict[str, Symbol]) -> None:
    machine, stub = stopped
    state = at_entry(stopped, symbols, "panic ud-ud2")
    line = struct.pack("<2Q", NOWHERE, state["rip"])
    stub.write(symbols["fixups_end"].address, line)
    state.values["rip"] = NOWHERE
    stub.set_registers(state)
    assert re.search(rf"^RIP +{NOWHERE:#018x}", report_of(stopped), re.MULTILINE)


def test_a_peek_is_no_trap_of_the_entry(stopped: Stopped, symbols: dict[str, Symbol]) -> None:
    """The kernel looks for an INT in front of the instruction, where no page is. The fault comes
    while the entry has taken all exceptions over."""
    machine, stub = stopped
    state = at_entry(stopped, symbols, "raise ud-ud2")
    stub.write(SUPERVISOR_CODE, UD2)
    state.values["rip"] = SUPERVISOR_CODE
    stub.set_registers(state)
    cr2 = machine.registers()["CR2"]
    stub.detach()
    answer = machine.wait_for(ANSWER).group(1)
    assert re.findall(r"^trap: name=ud-ud2 vector=(\d+) .* rip=(\w+) ", answer, re.MULTILINE) == [
        ("6", hex(SUPERVISOR_CODE))
    ]
    witnessed = [(record.vector, record.rip) for record in machine.interrupts() if record.error == 0]
    assert (14, symbols["peek.read"].address) in witnessed
    assert machine.registers()["CR2"] == cr2


def broken_screen(stopped: Stopped, symbols: dict[str, Symbol]) -> None:
    """Have the next character on the screen fault."""
    _, stub = stopped
    stub.write(symbols["pixels"].address, NOWHERE.to_bytes(8, "little"))


def test_a_screen_that_faults(
    stopped_with_screen: Stopped, symbols: dict[str, Symbol]
) -> None:
    machine, stub = stopped_with_screen
    broken_screen(stopped_with_screen, symbols)
    stub.detach()
    machine.type("panic")
    last = machine.wait_for(re.compile(r"\nTrap 14 at (?s:.*)" + HALTED), timeout=20).group()
    assert re.match(
        r"\nTrap 14 at 0x[0-9a-f]+ inside the panic report\.\n"
        r"Error 0x2, CR2 0xffffffffc0[0-9a-f]{6}\.\n"
        r"The report was about trap 14 at 0x[0-9a-f]+, error 0x2\." + HALTED,
        last,
    )
    assert machine.text.count("KERNEL PANIC") == 1
    is_halted(machine)


def test_a_last_word_that_faults(
    stopped_with_screen: Stopped, symbols: dict[str, Symbol]
) -> None:
    """The third trap says nothing and halts."""
    machine, stub = stopped_with_screen
    broken_screen(stopped_with_screen, symbols)
    machine.type("panic")
    state = stub.run_to(symbols["console_last_word"].address)
    state.values["rip"] = 0
    stub.set_registers(state)
    stub.detach()
    time.sleep(1)
    assert machine.text.endswith("\nKERNEL PANIC: Page Fault\n")
    is_halted(machine)


@pytest.mark.parametrize("place", ["bootinfo_init", "gdt_init", "cpu_init", "screen_remap"])
def test_a_panic_on_the_way_to_the_prompt(
    iso: str, symbols: dict[str, Symbol], tmp_path: Path, place: str
) -> None:
    """On the boot loader's tables and on the kernel's own, with the GDT of either. Between those
    tables and screen_remap(), the display is out of reach."""
    socket = str(tmp_path / "gdb")
    options = gdbstub.options(socket)
    with Qemu(iso, options=options) as machine, GdbStub(socket) as stub:
        state = stub.run_to(symbols[place].address)
        state.values["rip"] = NOWHERE
        stub.set_registers(state)
        report = report_of((machine, stub))
    assert report.startswith("\nKERNEL PANIC: Page Fault\n")
    # There are no names so early.
    outermost = int(re.findall(r"^ +#\d+ +(0x[0-9a-f]{16}) ", report, re.MULTILINE)[-1], 16)
    assert symbols["higher_half"].address < outermost < symbols["higher_half_end"].address


def test_an_entry_that_destroys_the_kernels_stack(
    stopped: Stopped, symbols: dict[str, Symbol]
) -> None:
    """What ring0_call() has saved is gone: each time that the entry is abandoned, the return from
    it traps."""
    machine, stub = stopped
    state = at_entry(stopped, symbols, "raise ud-ud2")
    stub.write(state["rsp"], bytes(9 * 8))
    state.values["rip"] = 0
    stub.set_registers(state)
    stub.detach()
    told = machine.wait_for(REPORT, timeout=20).group()
    assert "\nud-ud2 cannot be ended: it was abandoned 3 times, and still it traps.\n" in machine.text
    assert told.startswith("\nKERNEL PANIC: Page Fault\n")
    assert machine.text.count("KERNEL PANIC") == 1
    is_halted(machine)


@pytest.mark.parametrize("name", ["pf-write-readonly-no-wp", "nm-ts-fwait-mp", "of-into-clear"])
def test_panic_without_a_trap_changes_nothing(machine: Qemu, name: str) -> None:
    before = machine.registers()
    assert machine.ask(f"panic {name}").endswith("\nNo trap came.\n")
    after = machine.registers()
    same = "CR0 CR3 CR4 EFER DR6 DR7".split()
    assert [after[register] for register in same] == [before[register] for register in same]
    assert "result: name=pf-write-readonly pass\n" in machine.ask("raise pf-write-readonly")


# What an entry may leave behind, the code that does it, and how to see it.
FLOATING_POINT = bytes.fromhex("6a00 0fae1424 d92c24 58")  # push 0; ldmxcsr; fldcw; pop rax
APIC_BASE = bytes.fromhex("b91b000000 0f32 0d00100000 0f30")  # set bit 12 of IA32_APIC_BASE
IA32_APIC_BASE = 0x1B


@pytest.mark.parametrize("command", ["raise", "panic"])
def test_an_entry_leaves_the_floating_point_state_alone(
    stopped: Stopped, symbols: dict[str, Symbol], command: str
) -> None:
    machine, stub = stopped
    before = re.findall(r"FCW=\w+|MXCSR=\w+", machine.hmp("info registers"))
    assert before == ["FCW=037f", "MXCSR=00001f80"]
    state = at_entry(stopped, symbols, f"{command} pf-write-readonly-no-wp")
    stub.write(state["rip"], FLOATING_POINT + DONE)
    stub.detach()
    machine.wait_for(ANSWER)
    assert re.findall(r"FCW=\w+|MXCSR=\w+", machine.hmp("info registers")) == before


@pytest.mark.parametrize("command", ["raise", "panic"])
def test_an_entry_leaves_the_local_apic_where_it_is(
    stopped: Stopped, symbols: dict[str, Symbol], command: str
) -> None:
    machine, stub = stopped
    state = at_entry(stopped, symbols, f"{command} pf-write-readonly-no-wp")
    before = read_msr(stub, symbols, IA32_APIC_BASE)
    stub.write(state["rip"], APIC_BASE + DONE)
    end = stub.run_to(symbols["ring_return"].address)
    assert read_msr(stub, symbols, IA32_APIC_BASE) == before | 0x1000
    stub.set_registers(end)
    stub.run_to(symbols["judge" if command == "raise" else "print"].address)
    assert read_msr(stub, symbols, IA32_APIC_BASE) == before


def read_msr(stub: GdbStub, symbols: dict[str, Symbol], msr: int) -> int:
    """Have the stopped CPU read @msr; it is then where it was."""
    here = stub.registers()
    call = stub.registers()
    code = symbols["peek_msr.read"].address
    call.values |= {"rip": code, "rcx": msr}
    stub.set_registers(call)
    read = stub.step(call)
    stub.set_registers(here)
    return read["rdx"] << 32 | read["rax"]
