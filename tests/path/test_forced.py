"""What no loader and no command does by itself: QEMU's GDB stub forces it on the machine."""

from __future__ import annotations

import re
from pathlib import Path

import gdbstub
from conftest import NO_SCREEN
from elf.symbols import Symbol
from gdbstub import GdbStub
from qemu import Qemu


def force(stub: GdbStub, at: Symbol, register: str, value: int) -> None:
    """Run to @at, give @register the @value there, and let the machine go on."""
    state = stub.run_to(at.address)
    state.values[register] = value
    stub.set_registers(state)
    stub.detach()


def test_a_loader_without_multiboot2_is_refused_in_words(
    iso: str, grub: str, symbols: dict[str, Symbol], tmp_path: Path
) -> None:
    socket = str(tmp_path / "gdb")
    options = (*NO_SCREEN, *gdbstub.options(socket))
    with Qemu(iso, state=grub, options=options, stopped=True) as machine, GdbStub(socket) as stub:
        force(stub, symbols["start"], "rax", 0)
        machine.wait_for("not started by a Multiboot2 boot loader")
        machine.wait_for("Halted.")


def test_a_trap_inside_the_panic_report_prints_one_line_and_halts(
    stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]
) -> None:
    """A UD2 takes the place of the report's second part."""
    machine, stub = stopped
    machine.type("panic")
    force(stub, symbols["report_regs"], "rip", symbols["fault_ud_ud2"].address)
    machine.wait_for("KERNEL PANIC: Invalid Opcode")
    machine.wait_for(re.compile(r"Trap 6 at 0x[0-9a-f]+ inside the panic report\.\n"))
    machine.wait_for(re.compile(r"System Halted\.\n"))
    assert machine.text.count("KERNEL PANIC") == 1
    assert "Backtrace" not in machine.text
