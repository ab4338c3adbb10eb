"""Whoever waits for another CPU must do what that CPU may be waiting for: a shootdown. And a line of
the console is given back by none but its owner. That needs two CPUs at the wrong moment; so one is
stopped there by the GDB stub, and the test says what the other has done."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable

import pytest

from calling import Caller
from conftest import BUILD
from elf.structures import offset
from manuals import CONSTANTS

RFLAGS_IF = 1 << 9
HERE, ELSEWHERE = CONSTANTS["CPU_BASE"], CONSTANTS["CPU_BASE"] + CONSTANTS["CPU_REGION_SIZE"]


@functools.cache
def place(field: str) -> int:
    """Where this CPU's struct cpu has @field."""
    return HERE + offset(str(BUILD / "barestub.elf"), "cpu", field)


def write_pointer(call: Caller, name: str, value: int) -> None:
    call.stub.write(call.symbols[name].address, struct.pack("<Q", value))


def ask(call: Caller) -> int:
    """A shootdown waits for this CPU. Return the address of what it has it do."""
    what = call.symbols["forget_all"].address
    write_pointer(call, "invalidate", what)
    call.stub.write(place("must_invalidate"), b"\1")
    return what


def line_of_another(call: Caller) -> tuple[int, ...]:
    write_pointer(call, "speaker", ELSEWHERE)
    return call.scratch, 1


def shootdown_of_another(call: Caller) -> tuple[int, ...]:
    call.stub.write(call.symbols["is_running"].address, b"\1")
    return (call.symbols["forget_nothing"].address,)


def work_of_another(call: Caller) -> tuple[int, ...]:
    call.stub.write(place("is_busy"), b"\1")
    return (HERE,)  # it waits in this one's place


@pytest.mark.parametrize(
    "function, arguments",
    [
        ("console_write", line_of_another),
        ("shootdown", shootdown_of_another),
        ("call_wait", work_of_another),
    ],
)
def test_who_waits_serves_shootdowns(
    function: str, arguments: Callable[[Caller], tuple[int, ...]], call: Caller
) -> None:
    what = ask(call)
    call.begin(function, *arguments(call))
    call.stub.run_to(what)


def test_no_interrupt_comes_between_question_and_answer(call: Caller) -> None:
    """It could answer, and the next question then get the answer to this one."""
    what = ask(call)
    back = call.begin("shootdown_serve")
    state = call.stub.registers()
    state.values["rflags"] |= RFLAGS_IF
    call.stub.set_registers(state)
    within = call.stub.run_to(what)
    assert not within["rflags"] & RFLAGS_IF
    assert call.stub.read(place("must_invalidate"), 1) == b"\1"
    behind = call.stub.run_to(back)
    assert behind["rflags"] & RFLAGS_IF
    assert call.stub.read(place("must_invalidate"), 1) == b"\0"


def test_a_line_that_was_taken_over_is_not_given_back(call: Caller) -> None:
    """Another CPU panics while this one writes."""
    call.stub.write(call.scratch, b"x\n")
    back = call.begin("console_write", call.scratch, 2)
    call.stub.run_to(call.symbols["uart_write"].address)
    speaker = call.symbols["speaker"].address
    assert call.read(speaker) == HERE
    write_pointer(call, "speaker", ELSEWHERE)
    call.stub.run_to(back)
    assert call.read(speaker) == ELSEWHERE


def test_a_line_that_has_ended_is_given_back(call: Caller) -> None:
    call.stub.write(call.scratch, b"x\n")
    for length, owner in (1, HERE), (2, 0):
        call("console_write", call.scratch, length)
        assert call.read(call.symbols["speaker"].address) == owner
