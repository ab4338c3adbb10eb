"""What no loader and no command does by itself: GDB forces it on the machine."""

from __future__ import annotations

import os
import re
import subprocess
import threading

import pytest

from guest import PROMPT
from qemu import Qemu


def force(machine: Qemu, socket: str, elf: str, *commands: str) -> None:
    """Have GDB run @commands on @machine, whose stub listens at @socket, and let it go on."""
    script = ["set confirm off", f"target remote {socket}", *commands, "detach"]
    words = ["gdb", "-q", "-nx", "-batch", elf]
    for command in script:
        words += ["-ex", command]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert "detached" in result.stdout, result.stdout + result.stderr + machine.report()


@pytest.fixture
def gdb_socket(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A path for QEMU's GDB stub that no other test has."""
    return os.path.join(tmp_path_factory.mktemp("gdb"), "s")


def stub_options(socket: str) -> tuple[str, ...]:
    chardev = f"socket,id=gdb,path={socket},server=on,wait=off"
    return "-S", "-chardev", chardev, "-gdb", "chardev:gdb"


def test_a_loader_without_multiboot2_is_refused_in_words(
    iso: str, elf: str, gdb_socket: str
) -> None:
    with Qemu(iso, options=stub_options(gdb_socket)) as machine:
        force(machine, gdb_socket, elf, "hbreak *start", "continue", "set $eax = 0")
        machine.wait_for("not started by a Multiboot2 boot loader")
        machine.wait_for("Halted.")


def test_a_trap_inside_the_panic_report_prints_one_line_and_halts(
    iso: str, elf: str, gdb_socket: str
) -> None:
    """A UD2 takes the place of the report's second part."""
    with Qemu(iso, options=stub_options(gdb_socket)) as machine:
        commands = ("hbreak report_regs", "continue", "set $pc = fault_ud_ud2")
        debugger = threading.Thread(target=force, args=(machine, gdb_socket, elf, *commands))
        debugger.start()
        machine.wait_for(PROMPT)
        machine.type("panic")
        debugger.join()
        machine.wait_for("KERNEL PANIC: Invalid Opcode")
        machine.wait_for(re.compile(r"Trap 6 at 0x[0-9a-f]+ inside the panic report\.\n"))
        machine.wait_for(re.compile(r"System Halted\.\n"))
        assert machine.text.count("KERNEL PANIC") == 1
        assert "Backtrace" not in machine.text
