"""GDB's unwinder at every instruction of every stub, of the entry path and of the way back: the
unwind rows that asm/cfi.inc writes. What runs inside GDB is gdb_unwind.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import gdbstub
from conftest import NO_SCREEN, ROOT
from guest import ANSWER
from qemu import Qemu
from ways import WAYS

TIMEOUT = 60  # seconds, of one GDB
SCRIPT = ROOT / "tests" / "support" / "gdb_unwind.py"

# Much of the stack is read at each step, and where each step has led is printed.
QUICK = ["set dcache line-size 1024", "set print frame-info short-location"]

OUTERMOST = (["kmain", "higher_half"], "outermost")


def run_gdb(elf: str, socket: str, function: str) -> dict:
    """Return what @function of gdb_unwind.py finds on the machine whose GDB stub is at @socket."""
    commands = [*QUICK, f"file {elf}", f"target remote {socket}", f"source {SCRIPT}"]
    commands += [f"python {function}", "detach"]
    done = subprocess.run(
        ["gdb", "-nx", "-batch"] + [word for command in commands for word in ("-ex", command)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, done.stdout + done.stderr
    result = json.loads(results[0].removeprefix("RESULT "))
    assert not result["wrong"], "\n".join(result["wrong"])
    print(f"{result['boundaries']} boundaries")
    return result


@pytest.fixture
def walk(iso: str, elf: str, state: Callable[[str], str], tmp_path: Path) -> Callable[..., dict]:
    """walk(name, function) is what @function finds while the monitor raises the entry @name."""

    def run(name: str, function: str) -> dict:
        socket = str(tmp_path / "gdb")
        options = (*gdbstub.options(socket), *NO_SCREEN)
        with Qemu(iso, state=state("no screen"), options=options) as machine:
            machine.qmp("stop")
            machine.type(f"raise {name}")
            result = run_gdb(elf, socket, function)
            assert f"result: name={name} pass" in machine.wait_for(ANSWER).group(1)
        return result

    return run


# Their chain ends where they were interrupted.
NO_CALLER = {
    "df-stack-overflow": "it has thrown RSP away",
}

# Where the handler of the outer trap calls what raises the inner one.
LANDMARKS = {"bp-in-handler": ["fault_bp_in_handler.mend"]}


@pytest.mark.parametrize("name", WAYS)
def test_catalogue_entry(name: str, walk: Callable[..., dict]) -> None:
    result = walk(name, f"catalogue{(name, *LANDMARKS.get(name, ()))}")
    assert result["names"][0].startswith("fault_" + name.replace("-", "_"))
    if name not in NO_CALLER:
        assert (result["names"][-2:], result["end"]) == OUTERMOST


@pytest.mark.parametrize(
    ("function", "name"), [("ring0_call", "state-kernel"), ("ring3_call", "state-user")]
)
def test_way_into_a_ring(function: str, name: str, walk: Callable[..., dict]) -> None:
    result = walk(name, f"ring_call('{function}')")
    assert (result["names"][-2:], result["end"]) == OUTERMOST


def test_first_64_bit_code(iso: str, elf: str, grub: str, tmp_path: Path) -> None:
    socket = str(tmp_path / "gdb")
    options = (*NO_SCREEN, *gdbstub.options(socket))
    with Qemu(iso, state=grub, options=options, stopped=True):
        result = run_gdb(elf, socket, "function('higher_half')")
    assert (result["names"], result["end"]) == ([], "outermost")


def test_nmi_in_a_handler(walk: Callable[..., dict]) -> None:
    result = walk("bp-int3", "nmi()")
    assert (result["names"][-2:], result["end"]) == OUTERMOST


@pytest.mark.parametrize("function", ["realigned", "rewritten"])
def test_unusual_trap(function: str, walk: Callable[..., dict]) -> None:
    result = walk("bp-int3", f"{function}()")
    assert (result["names"][-2:], result["end"]) == OUTERMOST


def test_all_stubs(walk: Callable[..., dict]) -> None:
    result = walk("bp-int3", "stubs()")
    assert result["boundaries"] > 256 * 4
    assert (result["names"][-2:], result["end"]) == OUTERMOST
