"""What the kernel knows of an address on a stack or in the guard page below it, to the last byte:
its own functions, called through the GDB stub."""

from __future__ import annotations

import struct

import pytest

from calling import Caller

PAGE_SIZE = 4096

# kernel/cpu/layout.def
STACKS = {
    "kernel": range(0xFFFFFFFFD0003000, 0xFFFFFFFFD0009000),
    "df": range(0xFFFFFFFFD000A000, 0xFFFFFFFFD000C000),
    "mc": range(0xFFFFFFFFD000D000, 0xFFFFFFFFD000F000),
}
REGION_SIZE = 0x10000
GUARDS = {name: range(stack.start - PAGE_SIZE, stack.start) for name, stack in STACKS.items()}

WHEREVER = pytest.mark.parametrize(
    "function, places", [("stack_at", STACKS), ("stack_guarded_at", GUARDS)]
)


@WHEREVER
def test_it_knows_the_first_and_the_last_byte(
    function: str, places: dict[str, range], call: Caller
) -> None:
    for name, place in places.items():
        for address in (place.start, place.stop - 1):
            assert call.read(call(function, address) + 8) == STACKS[name].start
        for address in (place.start - 1, place.stop):
            assert call(function, address) == 0


@WHEREVER
@pytest.mark.parametrize("count", [1, 3])
def test_it_knows_those_of_each_cpu(
    count: int, function: str, places: dict[str, range], call: Caller
) -> None:
    """Of as many as there are: at first the one that has booted."""
    assert call.read(call.symbols["cpu_count"].address, 4) == 1
    call.stub.write(call.symbols["cpu_count"].address, count.to_bytes(4, "little"))
    for number in (-1, 0, 1, 2, 3):
        for name, place in places.items():
            found = call(function, place.start + number * REGION_SIZE)
            if number in range(count):
                assert call.read(found + 8) == STACKS[name].start
            else:
                assert found == 0


@WHEREVER
def test_it_knows_no_other_stack(
    function: str, places: dict[str, range], call: Caller
) -> None:
    """One that memory happens to hold behind the table."""
    last = places["mc"].stop + 8 * PAGE_SIZE
    another = struct.pack("<3Q", 0, last - PAGE_SIZE, last)
    call.stub.write(call.symbols["stacks"].end, another)
    assert call(function, last - 1) == call(function, last - PAGE_SIZE - 1) == 0
