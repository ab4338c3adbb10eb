"""A client of QEMU's GDB stub: stop the CPU at an address, step it, read and write its state."""

from __future__ import annotations

import re
import select
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TIMEOUT = 30  # seconds, for the guest to reach a breakpoint on a busy host
ENDED = "QEMU has ended"
READ_LIMIT = 2000  # bytes in one packet: QEMU's are 4 KiB, and a byte is two digits

# Acknowledgements of ours, `$`, the text, `#` and two digits of checksum.
PACKET = re.compile(rb"\+*\$([^#]*)#[0-9a-f]{2}")

# The head of the `g` packet: 17 registers of 64 bits, 7 of 32. What follows (control, x87 and
# vector registers) is compared as it is.
WIDE = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()
NARROW = "rflags cs ss ds es fs gs".split()
HEAD = struct.Struct("<17Q7I")

RF = 1 << 16  # of RFLAGS: SDM vol. 3, 17.3.1.1

# Numbers of registers that the `P` packet writes: i386-64bit.xml of QEMU.
CONTROL = {"cr0": 27, "cr4": 30, "efer": 32, "fctrl": 41, "mxcsr": 65}


def options(path: str) -> tuple[str, ...]:
    """Return what QEMU's command line needs to offer its GDB stub at the Unix socket @path."""
    return ("-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-gdb", "chardev:gdb")


class Lost(Exception):
    """The machine does not stop where it should, or has gone."""


@dataclass
class Registers:
    """The registers of the CPU by name, and `rest`: those without a name here."""

    values: dict[str, int]
    rest: bytes

    @classmethod
    def unpack(cls, data: bytes) -> Registers:
        values = dict(zip(WIDE + NARROW, HEAD.unpack_from(data), strict=True))
        return cls(values, data[HEAD.size :])

    def pack(self) -> bytes:
        return HEAD.pack(*self.values.values()) + self.rest

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def without_rf(self) -> Registers:
        """Return them without RFLAGS.RF, which the CPU clears behind each instruction."""
        return Registers({**self.values, "rflags": self["rflags"] & ~RF}, self.rest)

    def differences(self, other: Registers) -> list[str]:
        """Say which registers @other has with another value."""
        found = [
            f"{name}: {value:#x}, not {self[name]:#x}"
            for name, value in other.values.items()
            if value != self[name]
        ]
        return found + (["a control or vector register"] if self.rest != other.rest else [])


class GdbStub:
    """A connection to the stub at a Unix socket. The machine stops when it is made."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(path)
        self._received = b""
        # QEMU 7.2 tells unasked that the machine has stopped, QEMU 10 does not.
        self._send("qSupported")
        while not self._answer().startswith("PacketSize="):
            pass

    def __enter__(self) -> GdbStub:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def command(self, packet: str) -> str:
        """Send @packet and return the answer: `GDB Remote Serial Protocol`."""
        self._send(packet)
        return self._answer()

    def _send(self, packet: str) -> None:
        checksum = sum(packet.encode()) & 0xFF
        self._pass_on(f"${packet}#{checksum:02x}".encode())

    def _pass_on(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Lost(ENDED) from None

    def _answer(self) -> str:
        while not (packet := PACKET.match(self._received)):
            self._received += self._receive()
        self._received = self._received[packet.end() :]
        self._pass_on(b"+")
        return packet[1].decode()

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Lost(f"no breakpoint was reached within {TIMEOUT} s") from None
        except ConnectionResetError:
            raise Lost(ENDED) from None
        if not data:
            raise Lost(ENDED)
        return data

    def registers(self) -> Registers:
        return Registers.unpack(bytes.fromhex(self.command("g")))

    def set_registers(self, registers: Registers) -> None:
        assert self.command("G" + registers.pack().hex()) == "OK"

    def read(self, address: int, size: int) -> bytes:
        """Return @size bytes at the virtual @address."""
        parts = range(address, address + size, READ_LIMIT)
        return b"".join(self._read(part, min(READ_LIMIT, address + size - part)) for part in parts)

    def _read(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self.command(f"m{address:x},{size:x}"))

    def write(self, address: int, data: bytes) -> None:
        """Write @data at the virtual @address, whatever its page allows."""
        assert self.command(f"M{address:x},{len(data):x}:{data.hex()}") == "OK"

    def set_control(self, name: str, value: int) -> None:
        """Write one of CONTROL."""
        # The stub takes the packet from those alone who have read what registers there are.
        self.command("qXfer:features:read:target.xml:0,ffb")
        assert self.command(f"P{CONTROL[name]:x}={struct.pack('<Q', value).hex()}") == "OK"

    def step(self, state: Registers) -> Registers:
        """Execute one instruction in @state, the present one, with interrupts masked. Return the
        state behind it."""
        while True:
            self._resume("s")
            if state.differences(now := self.registers()):
                return now  # QEMU sometimes executes nothing

    def run_to(self, address: int, state: Registers | None = None) -> Registers:
        """Run until the instruction at @address is next. If it is so already, @state must be the
        present one. Return the state there."""
        if state and state["rip"] == address:
            state = self.step(state)
            if state["rip"] == address:
                return state
        with self.breakpoints([address]):
            return self.run()

    @contextmanager
    def breakpoints(self, addresses: Collection[int]) -> Iterator[None]:
        """Within it run() stops in front of each of @addresses; step() does not heed them."""
        for address in addresses:
            self.command(f"Z0,{address:x},1")
        yield
        for address in addresses:
            self.command(f"z0,{address:x},1")

    def run(self) -> Registers:
        """Run to the next breakpoint. Return the state there."""
        self._resume("c")
        return self.registers()

    def detach(self) -> None:
        """Let the machine run on its own."""
        self.command("D")

    # For somebody who waits for other things as well.

    def fileno(self) -> int:
        return self._socket.fileno()

    def go(self) -> None:
        """Let the machine run; do not wait until it stops."""
        self._send("c")

    def is_stopped(self) -> bool:
        """Take what has come; return whether the machine has told that it stopped."""
        if select.select([self], [], [], 0)[0]:
            self._received += self._receive()
        if not PACKET.match(self._received):
            return False
        self._answer()
        return True

    def wait_stopped(self) -> None:
        self._answer()

    def _resume(self, packet: str) -> None:
        answer = self.command(packet)
        if not answer.startswith("T05"):
            raise Lost(f"the CPU stopped for another reason: {answer}")
