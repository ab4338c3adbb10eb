"""Whether the CPU has pushed an error code, told by RSP. QEMU's log writes 0 for "no code", too; but
the CPU aligns the top of its frame to 16 (SDM vol. 3, 6.14.2), so at the first instruction of a stub
RSP mod 16 is 8 below five slots, and 0 below six."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gdbstub
import trapline
from catalogue import entries, is_fatal
from gdbstub import GdbStub, Lost
from guest import PROMPT
from qemu import Qemu
from elf.symbols import Symbol

STUB_SIZE = 16
ENDBR64_SIZE = 4

# The vectors that carry a code, as exceptions. APM vol. 2, table 8-1.
WITH_CODE = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}

# The entries that raise these vectors, by the beginnings of their names.
FAMILIES = ("ac-", "align", "cp-", "df-", "gp-", "inject-", "int-all", "ipi-all", "iret-", "np-")
FAMILIES += ("pf-", "serial-", "ss-", "stack-", "ts-")
NAMES = [name for name in entries() if name.startswith(FAMILIES) and not is_fatal(name)]

# Vector, saved RIP, and error code or "none".
Pushed = tuple[int, int, "int | str"]


def pushed(stub: GdbStub, vector: int, rsp: int) -> Pushed:
    """Tell what the CPU has pushed, at the first instruction of the stub of @vector."""
    first, second = struct.unpack("<2Q", stub.read(rsp, 16))
    return (vector, second, first) if rsp % 16 == 0 else (vector, first, "none")


def watch(stub: GdbStub, stubs: int) -> Iterator[Pushed]:
    """Let the machine run to its end. Yield what comes to the stubs, which lie at @stubs."""
    places = {stubs + vector * STUB_SIZE: vector for vector in WITH_CODE}
    for place in places:
        assert stub.command(f"Z0,{place:x},1") == "OK"
    with suppress(Lost):
        while stub.command("c"):
            state = stub.registers()
            yield pushed(stub, places[state["rip"]], state["rsp"])
            state.values["rip"] += ENDBR64_SIZE  # which does nothing, and has the breakpoint
            stub.set_registers(state)


def test_the_kernel_tells_it_right(iso: str, tmp_path: Path, symbols: dict[str, Symbol]) -> None:
    socket = str(tmp_path / "gdb")
    # Without a screen: most of the instructions would be those that draw on it.
    with Qemu(iso, options=(*gdbstub.options(socket), "-vga", "none")) as machine:
        machine.wait_for(PROMPT)
        # The stub stops the machine, which then takes no words: no trap comes before it is watched.
        with GdbStub(socket) as stub:
            words = "\n".join([*(f"raise {name}" for name in NAMES), "poweroff"])
            typist = threading.Thread(target=machine.type, args=(words,))
            typist.start()
            seen = list(watch(stub, symbols["isr_0_DE"].address))
            typist.join()
        machine.wait_exit()

    peek = symbols["peek"]  # the kernel's own faults, of which nobody is told
    own = range(peek.address, peek.address + peek.size)
    traps = trapline.parse(machine.text).traps
    told = [(trap["vector"], trap["rip"], trap["error"]) for trap in traps]
    assert [each for each in told if each[0] in WITH_CODE] == [
        each for each in seen if each[1] not in own
    ]
    assert {"none", 0} <= {code for _, _, code in seen}
