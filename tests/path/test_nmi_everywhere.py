"""An NMI, or a machine check, at every single instruction of the way from a trap's stub back to the
interrupted code.

No flag holds either back, so it finds every moment in which the path trusts memory below RSP,
stands on a wrong stack, or keeps something where a second trap destroys it. For each boundary
between two instructions the entry of the catalogue runs anew with one of them delivered exactly
there. It must then end in the very state in which it ends undisturbed.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import saved_rflags
from gdbstub import GdbStub, Lost, Registers
from guest import ANSWER
from qemu import Qemu
from elf.symbols import Symbol
from ways import WAYS

HANDLER_SIZE = 8
GENERAL = "rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()
PATTERN = 0x0123456789ABCDEF
FRAME = "rip cs rflags rsp ss".split()  # what the CPU pushes, upwards: SDM vol. 3, 6.14.2
STEPS_LIMIT = 100_000  # those in C search the catalogue


@dataclass
class Boundary:
    """The CPU's state between two instructions of an entry."""

    state: Registers
    before: int  # how often the same instruction has been next before


@dataclass(frozen=True)
class Event:
    """What disturbs."""

    vector: int
    stub: str
    command: tuple[str, dict[str, str]]  # of QMP

    def come(self, machine: Qemu) -> None:
        name, arguments = self.command
        machine.qmp(name, **arguments)


NMI = Event(2, "isr_2_NMI", ("inject-nmi", {}))

# CPU 0, bank 0, its status VAL | UC | EN (SDM vol. 3, figure 15-7), then MCG_STATUS, where MCIP would
# make the next one a reset, the address, and what else is known.
MC_LINE = f"mce 0 0 {0b1011 << 60:#x} 0 0 0"
MC = Event(18, "isr_18_MC", ("human-monitor-command", {"command-line": MC_LINE}))


class Entry:
    """An entry of the catalogue, which fault_run() runs over and over under the GDB stub."""

    def __init__(
        self, name: str, event: Event, stub: GdbStub, symbols: dict[str, Symbol], in_c: bool
    ) -> None:
        """The machine must be on its way to fault_run(). Without @in_c its path leaves out what C
        executes, which is nearly all of it."""
        self._stub = stub
        self._in_c = in_c
        self._handler = symbols["handlers"].address + event.vector * HANDLER_SIZE
        self._only_count = symbols["only_count"].address.to_bytes(HANDLER_SIZE, "little")
        self._code = symbols["fault_" + name.replace("-", "_")].address
        self._outcome = symbols["outcome"]
        self._assembly = {
            address
            for symbol_name, symbol in symbols.items()
            if symbol_name.startswith(("isr_", "trap_entry"))
            for address in range(symbol.address, symbol.address + symbol.size)
        }
        # Where C goes on in the assembly: in a stub, or behind the call of C.
        self._ways_back = {s.address for name, s in symbols.items() if name.startswith("isr_")}
        stub.run_to(symbols["fault_run"].address)
        self._call = stub.registers()
        self._return = int.from_bytes(stub.read(self._call["rsp"], 8), "little")

        # From the stub's first instruction to the first one behind the IRETQ that ends the trap.
        self.path = list(self._walk())
        self.outcome = self.finish()

    def _start(self) -> Registers:
        """Go to the entry's first instruction, with a pattern in every general register, and the
        kernel's handler for the event, which the entry may have taken over."""
        self._stub.set_registers(self._call)
        registers = self._stub.run_to(self._code)
        self._stub.write(self._handler, self._only_count)
        for number, name in enumerate(GENERAL, 1):
            registers.values[name] = PATTERN * number % 2**64
        self._stub.set_registers(registers)
        return registers

    def _walk(self) -> Iterator[Boundary]:
        before: Counter[int] = Counter()
        frame = None
        state = self._start()
        for _ in range(STEPS_LIMIT):
            before[state["rip"]] += 1
            last, state = state, self._stub.step(state)
            if frame is None and self.in_assembly(state):
                frame = state["rsp"]
            if frame is None:
                continue
            yield Boundary(state, before[state["rip"]])
            if self._is_iretq(frame, last, state):
                return
            if not (self._in_c or self.in_assembly(state)):
                state = self._behind_c(last, state)
                yield Boundary(state, before[state["rip"]])
        raise AssertionError("the trap does not end")

    def _behind_c(self, last: Registers, state: Registers) -> Registers:
        """Run from the first instruction of C to the next one of the assembly."""
        if state["rsp"] == last["rsp"] - 8:  # it was called, and has not been interrupted
            self._ways_back.add(int.from_bytes(self._stub.read(state["rsp"], 8), "little"))
        with self._stub.breakpoints(self._ways_back):
            return self._stub.run()

    def in_assembly(self, state: Registers) -> bool:
        """Whether the next instruction is one of asm/stubs.asm or asm/entry.asm."""
        return state["rip"] in self._assembly

    def _is_iretq(self, frame: int, last: Registers, state: Registers) -> bool:
        """It is the only way out of the assembly with the CPU's frame on top of the stack."""
        left = self.in_assembly(last) and not self.in_assembly(state)
        return left and last["rsp"] >= frame

    def reach(self, boundary: Boundary) -> Registers:
        """Run the entry up to @boundary."""
        state = self._start()
        for _ in range(boundary.before + 1):
            state = self._stub.run_to(boundary.state["rip"], state)
        return state

    def resume(self) -> Registers:
        """Run to the end of the path."""
        return self._stub.run_to(self.path[-1].state["rip"])

    def finish(self) -> bytes:
        """Run to the end of fault_run(). Return what it has recorded and judged."""
        self._stub.run_to(self._return)
        return self._stub.read(self._outcome.address, self._outcome.size)


def disturb(
    entry: Entry, boundary: Boundary, event: Event, machine: Qemu, stub: GdbStub, place: int
) -> str:
    """Deliver @event, whose stub begins at @place, to one run of @entry. Return what is wrong then,
    or nothing."""
    interrupted = entry.reach(boundary)
    event.come(machine)
    pushed = dict(zip(FRAME, struct.unpack("<5Q", stub.read(stub.run_to(place)["rsp"], 40))))
    if wrong := saved_rflags.differences(pushed["rflags"], interrupted["rflags"], event.vector):
        return "; ".join(wrong)
    if any(pushed[name] != interrupted[name] for name in FRAME if name != "rflags"):
        return f"its frame has {[hex(value) for value in pushed.values()]}"
    # Not RF: QEMU's event may bring it along, which saved_rflags has judged.
    if wrong := entry.path[-1].state.without_rf().differences(entry.resume().without_rf()):
        return f"behind the trap: {'; '.join(wrong)}"
    if entry.finish() != entry.outcome:
        return "the kernel has recorded another trap, or judged it otherwise"
    return ""


# One of them in C as well, at each instruction's first time: there the event finds a use of the red
# zone. A machine check differs by its stack alone, the path's own or another: one way of each.
@pytest.mark.parametrize(
    ("name", "event", "in_c"),
    [pytest.param(name, NMI, False, id=name) for name in WAYS]
    + [pytest.param("state-kernel", NMI, True, id="c")]
    + [pytest.param(name, MC, False, id=f"mc-{name}") for name in ("gp-int13", "df-int8")],
)
def test_it_goes_unnoticed_at_every_instruction(
    name: str,
    event: Event,
    in_c: bool,
    stopped: tuple[Qemu, GdbStub],
    symbols: dict[str, Symbol],
) -> None:
    machine, stub = stopped
    machine.type(f"raise {name}")
    entry = Entry(name, event, stub, symbols, in_c)
    if in_c:
        boundaries = [b for b in entry.path if not entry.in_assembly(b.state) and not b.before]
    else:
        boundaries = [b for b in entry.path if entry.in_assembly(b.state)] + entry.path[-1:]
    for boundary in boundaries:
        try:
            wrong = disturb(entry, boundary, event, machine, stub, symbols[event.stub].address)
        except Lost as error:
            wrong = str(error)
        if wrong:
            pytest.fail(f"{event.stub} at RIP {boundary.state['rip']:#x}: {wrong}\n{machine.text}")
    stub.detach()
    assert f"result: name={name} pass" in machine.wait_for(ANSWER).group(1), machine.report()

    # QEMU's own record of where they came.
    came = [(r.rip, r.rsp) for r in machine.interrupts() if r.vector == event.vector]
    assert came == [(b.state["rip"], b.state["rsp"]) for b in boundaries]
    print(f"{len(boundaries)} boundaries")
