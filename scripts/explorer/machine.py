"""The machine that is recorded: one QEMU that raises one entry after another and logs each
instruction that matters.

Nobody types: a line that comes by the serial port, or a tick of the timer, comes between other
instructions each time. The GDB stub stops the kernel where it asks for a line, and gives it one; and
the timer is masked, but for an entry that is about it.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from emulator import behind_grub
from elf.structures import offset
from emulator.qemu import clock_of_instructions, qemu_command
from emulator.qmp import Qmp, QmpError, options
from explorer.memory import Memory
from explorer.program import Program
from gdbstub import GdbStub, Lost, Registers
from gdbstub import options as gdb_options
from manuals import CONSTANTS

BOOT_TIMEOUT, ENTRY_TIMEOUT = 60, 30  # seconds of QEMU's own time: the host may have little of it
PATIENCE = 10  # times as long it may take on the clock
LOG = "int,in_asm,cpu,exec,nochain"
LOG_OF_DELIVERIES = "int"
EACH = "exec_tb"  # a line for each instruction, also of those that are not logged
LIMIT = 12 << 20  # bytes of log for one entry: the entry waits for something, in a loop
POLL = 0.1
HALTED = b"System Halted."

ARGUMENTS = ("rdi", "rsi")  # System V ABI, AMD64 supplement, 3.2.3

# What struct cpu has counted and kept begins and ends in front of these: the traps by vector and in
# all, the last ones, the ticks.
COUNTED, BEHIND_IT = "trap_count", "apic_id"
PACKETS = 2  # that hold all of it

IDT_SIZE, TSS_SIZE = 256 * 16, 104
TABLE = re.compile(r"^(IDT|TR) *=(?:[0-9a-f]+)? +([0-9a-f]+)", re.MULTILINE)


@dataclass
class Raised:
    """What the kernel has said of an entry."""

    name: str
    text: str
    is_long: bool = False  # its log was cut: it waits for something, in a loop
    has_ended: bool = False  # the machine
    hangs: bool = False  # it has not ended, and says no more

    @property
    def is_last(self) -> bool:
        """Whether the machine can raise nothing more."""
        return self.has_ended or self.hangs


class Ended(Exception):
    """The machine has ended. The text is what it has said last."""


class Hangs(Ended):
    """It has not, and does not come to where it should."""


class Machine:
    """Use it in a `with`: it never outlives the block."""

    def __init__(self, iso: Path, program: Program, where: list[range]) -> None:
        """Boot @iso, whose kernel is @program, and log the instructions in the ranges @where; if those
        of the entries are among them, count the others. Raises Ended if it does not come to its
        prompt."""
        self._program = program
        self._counts = all(programs in where for programs in program.programs)
        begin, end = (offset(program.elf, "cpu", field) for field in (COUNTED, BEHIND_IT))
        base = CONSTANTS["CPU_BASE"]
        self._counted = range(base + begin, base + end, (end - begin) // PACKETS)
        self._directory = tempfile.TemporaryDirectory(prefix="barestub-trace-")
        self._log = Path(self._directory.name, "qemu.log")
        self._log.touch()
        self._cuts: list[list[int | None]] = []  # where in the log a part is missing
        ours, theirs = socket.socketpair()
        gdb = os.path.join(self._directory.name, "gdb")
        command = qemu_command(str(iso), False, self._directory.name)
        command += ["-display", "none", *behind_grub.options()]
        command += ["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
        command += [*options(theirs.fileno()), *gdb_options(gdb), "-S"]
        command += ["-D", str(self._log)]
        command += ["-dfilter", ",".join(f"{r.start:#x}+{len(r):#x}" for r in where)]
        # Time goes by the instructions executed, so that each run is the same.
        command += clock_of_instructions()
        command += ["-rtc", "base=2000-01-01T00:00:00,clock=vm"]
        with theirs:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        self._qmp = Qmp(ours, BOOT_TIMEOUT)
        self._qmp.execute("qmp_capabilities")
        self._qmp.wait_for_state()
        self._stub = GdbStub(gdb)
        try:
            self._boot()
            self._look(LOG, closely="on")
        except (Ended, Lost):
            self.__exit__()
            raise Ended("") from None

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._qmp.close()
        self._directory.cleanup()

    def _boot(self) -> None:
        """Run to where the kernel asks for a command, with its timer masked from the beginning."""
        write = self._address("lapic_write")
        self._run_to(self._address("timer_init"), BOOT_TIMEOUT)
        while (state := self._run_to(write, BOOT_TIMEOUT)) and not is_periodic(state):
            self._run_to(self._word(state["rsp"]), BOOT_TIMEOUT)
        state.values["rsi"] |= CONSTANTS["LVT_MASKED"]
        self._stub.set_registers(state)
        self._here = self._run_to(self._address("line_read"), BOOT_TIMEOUT)
        self._back = self._word(self._here["rsp"])

    def _word(self, address: int) -> int:
        return int.from_bytes(self._stub.read(address, 8), "little")

    def _address(self, name: str) -> int:
        return self._program.symbol(name).address

    def _look(self, log: str, closely: str) -> None:
        """Translate each instruction on its own if @closely is "on", which takes its time, and @log
        it."""
        if "unknown command" in self._hmp(f"one-insn-per-tb {closely}"):
            self._hmp(f"singlestep {closely}")  # before QEMU 8.1
        self._hmp(f"log {log}")

    def _hmp(self, line: str) -> str:
        return self._qmp.execute("human-monitor-command", **{"command-line": line})

    def tables(self) -> Memory:
        """The IDT and the TSS as they are now."""
        memory = Memory()
        where = {name: int(at, 16) for name, at in TABLE.findall(self._hmp("info registers"))}
        for name, size in (("IDT", IDT_SIZE), ("TR", TSS_SIZE)):
            memory.put(where[name], self._stub.read(where[name], size))
        return memory

    def raise_fault(
        self, name: str, has_ticks: bool = False, timeout: float = ENTRY_TIMEOUT
    ) -> Raised:
        """Raise the entry @name, which @has_ticks if it is about the timer."""
        self._said = b""
        self._cut: list[int | None] | None = None
        self._size = self._log.stat().st_size
        try:
            for place in self._counted:
                self._stub.write(place, bytes(self._counted.step))
            self._stub.write(self._here["rsi"], f"raise {name}\0".encode())
            if has_ticks:
                self._raise_with_ticks(timeout)
            else:
                self._raise(timeout)
        except (Ended, Lost) as why:
            if self._cut is None and self._is_long():
                self._begin_cut()
            hangs = isinstance(why, Hangs)
            return Raised(name, self._text(), self._is_long(), not hangs, hangs)
        self._watch()  # its end may have come before the last look
        if self._cut:
            self._cut[1] = self._log.stat().st_size
            self._look(LOG, closely="on")
        return Raised(name, self._text(), self._is_long())

    def _raise(self, timeout: float) -> None:
        """Have the kernel run the line that it was given."""
        back = self._here["rip"]
        self._begin("monitor_run", back, self._here["rsi"])
        if not self._counts or self._count(back, timeout) != back:
            self._run_to(back, timeout)
        self._finish()

    def _raise_with_ticks(self, timeout: float) -> None:
        """The same, with the timer on: its start returns to where the kernel has asked for the line.
        Whenever QEMU stops, time may go on to the next tick: so nothing stops it in between, and
        none is left to come when it has."""
        back = self._here["rip"]
        for function, following in (("timer_start", self._back), ("timer_stop", back)):
            self._begin(function, following)
            self._run_to(back, timeout)
            self._finish()

    def _count(self, back: int, timeout: float) -> int:
        """Run, with a line in the log for each instruction, from the begin of an entry to its end, or
        to @back. Return where the machine stands."""
        begins = [self._address("ring0_call"), self._address("ring3_call")]
        end = self._address("ring_end") - 1
        if self._run_to_one_of([*begins, back], timeout)["rip"] == back:
            return back
        self._hmp(f"trace-event {EACH} on")
        now = self._run_to_one_of([end, back], timeout)["rip"]
        self._hmp(f"trace-event {EACH} off")
        return now

    def _begin(self, function: str, back: int, *arguments: int) -> None:
        """Stand at the first instruction of @function, which returns to @back, as if it had been
        called in the place of the one that asks for a line, for the first time."""
        place = {"rip": self._address(function), "rsp": self._here["rsp"]}
        values = self._here.values | place | dict(zip(ARGUMENTS, arguments))
        self._stub.write(self._here["rsp"], back.to_bytes(8, "little"))
        self._stub.set_registers(Registers(values, self._here.rest))

    def _finish(self) -> None:
        state = self._stub.registers()
        state.values["rsp"] = self._here["rsp"]
        self._stub.set_registers(state)

    def _run_to(self, address: int, timeout: float) -> Registers:
        return self._run_to_one_of([address], timeout)

    def _run_to_one_of(self, addresses: list[int], timeout: float) -> Registers:
        """Run to the first of @addresses, at none of which the machine stands. Raises Ended, or Lost
        if QEMU has gone."""
        with self._stub.breakpoints(addresses):
            self._stub.go()
            spent, end = self._spent() + timeout, time.monotonic() + PATIENCE * timeout
            while not self._stub.is_stopped():
                self._listen()
                if HALTED in self._said:
                    raise Ended(self._text())
                if self._spent() > spent or time.monotonic() > end:
                    raise Hangs(self._text())
            self._drain()
            return self._stub.registers()

    def _spent(self) -> float:
        """The seconds that QEMU has computed."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    _said = b""
    _cut: list[int | None] | None = None
    _size = 0

    def _listen(self) -> None:
        """Wait a little for what the kernel says."""
        output = self._process.stdout.fileno()
        if output in select.select([self._stub, output], [], [], POLL)[0]:
            self._said += os.read(output, 65536)
        self._watch()

    def _drain(self) -> None:
        output = self._process.stdout.fileno()
        while select.select([output], [], [], 0)[0] and (data := os.read(output, 65536)):
            self._said += data

    def _watch(self) -> None:
        """Log less of an entry that waits in a loop."""
        if self._cut is None and self._is_long():
            self._look(LOG_OF_DELIVERIES, closely="off")
            self._hmp(f"trace-event {EACH} off")
            self._begin_cut()

    def _begin_cut(self) -> None:
        self._cut = [self._size + LIMIT, None]  # however much there was when somebody looked
        self._cuts.append(self._cut)

    def _is_long(self) -> bool:
        return self._log.stat().st_size - self._size > LIMIT

    def _text(self) -> str:
        return self._said.decode("ascii", "replace").replace("\r", "")

    def stop(self) -> None:
        """Let it do nothing more."""
        try:
            self._hmp("stop")
        except QmpError:
            pass  # it has ended

    def log(self) -> str:
        """Return what QEMU has logged so far, all of it once the machine is stopped, and nothing of
        the times of which it has logged a part: the last one has no end if the machine had one."""
        data = self._log.read_bytes()
        for begin, end in reversed(self._cuts):
            whole = data.rfind(b"\nTrace ", 0, begin) + 1
            data = data[:whole] + (data[end:] if end else b"")
        return data.decode(errors="replace")


def is_periodic(state: Registers) -> bool:
    """Whether lapic_write(), at whose first instruction the machine is, switches the timer on."""
    is_timer = state["rdi"] == CONSTANTS["LAPIC_LVT_TIMER"]
    return is_timer and bool(state["rsi"] & CONSTANTS["LVT_TIMER_PERIODIC"])
