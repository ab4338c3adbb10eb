"""Calls of the kernel's own functions, through the GDB stub: for what no words at the prompt ask."""

from __future__ import annotations

from elf.symbols import Symbol
from gdbstub import GdbStub

ARGUMENTS = ("rdi", "rsi", "rdx", "rcx")  # System V ABI, AMD64 supplement, 3.2.3
SCRATCH_SIZE = 4096


class Caller:
    """Makes the calls, with interrupts off. In between the CPU stands still at one place."""

    def __init__(self, stub: GdbStub, symbols: dict[str, Symbol]) -> None:
        """The machine must wait at the prompt."""
        self.stub = stub
        self.symbols = symbols
        # In the timer's interrupt: at the prompt the CPU halts, and needs one to go on.
        self.here = stub.run_to(symbols["trap_dispatch"].address)
        # Bytes of the kernel stack that a test may write, and no call does.
        self.scratch = self.here["rsp"] // 16 * 16 - SCRATCH_SIZE

    def begin(self, function: str, *arguments: int) -> int:
        """Stand at the first instruction of @function. Return the address that it returns to."""
        back = self.symbols["kmain"].address  # which runs no more
        state = self.stub.registers()
        state.values |= self.here.values | dict(zip(ARGUMENTS, arguments))
        state.values |= {"rip": self.symbols[function].address, "rsp": self.scratch - 8}
        self.stub.write(state["rsp"], back.to_bytes(8, "little"))
        self.stub.set_registers(state)
        return back

    def end(self) -> None:
        """Stand where all calls begin again."""
        self.stub.set_registers(self.here)

    def __call__(self, function: str, *arguments: int) -> int:
        """Return what @function returns."""
        back, panic = self.begin(function, *arguments), self.symbols["panic"].address
        with self.stub.breakpoints([back, panic]):
            state = self.stub.run()
        assert state["rip"] == back, f"{function}{arguments} panics"
        self.end()
        return state["rax"]

    def read(self, address: int, size: int = 8) -> int:
        """Return the number of @size bytes at @address."""
        return int.from_bytes(self.stub.read(address, size), "little")
