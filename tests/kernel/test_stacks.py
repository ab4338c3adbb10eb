"""What the kernel knows of an address on a stack or in the guard page below it, to the last byte:
its own functions, called through the GDB stub."""

from __future__ import annotations

import pytest

from elf.symbols import Symbol
from gdbstub import GdbStub
from qemu import Qemu

PAGE_SIZE = 4096

# kernel/cpu/layout.def
STACKS = {
    "kernel": range(0xFFFFFFFFD0002000, 0xFFFFFFFFD0008000),
    "df": range(0xFFFFFFFFD0009000, 0xFFFFFFFFD000B000),
    "mc": range(0xFFFFFFFFD000C000, 0xFFFFFFFFD000E000),
}
GUARDS = {name: range(stack.start - PAGE_SIZE, stack.start) for name, stack in STACKS.items()}


def call(stub: GdbStub, symbols: dict[str, Symbol], function: str, argument: int) -> int:
    """Call a function of the waiting kernel; return what it returns."""
    waiting = stub.registers()
    back = symbols["kmain"].address  # which runs no more
    state = stub.registers()
    state.values["rsp"] = waiting["rsp"] // 16 * 16 - 8
    state.values |= {"rip": symbols[function].address, "rdi": argument}
    stub.write(state["rsp"], back.to_bytes(8, "little"))
    stub.set_registers(state)
    result = stub.run_to(back)["rax"]
    stub.set_registers(waiting)
    return result


@pytest.mark.parametrize("function, places", [("stack_at", STACKS), ("stack_guarded_at", GUARDS)])
def test_it_knows_the_first_and_the_last_byte(
    function: str,
    places: dict[str, range],
    stopped: tuple[Qemu, GdbStub],
    symbols: dict[str, Symbol],
) -> None:
    _, stub = stopped
    for name, place in places.items():
        for address in (place.start, place.stop - 1):
            found = call(stub, symbols, function, address)
            assert int.from_bytes(stub.read(found + 8, 8), "little") == STACKS[name].start
        for address in (place.start - 1, place.stop):
            assert call(stub, symbols, function, address) == 0
