"""Runs inside GDB, for test_unwind.py: steps through traps and unwinds at every instruction.

What a trap interrupts is taken down before the trap: the registers, and the chain of its callers.
From the first instruction of the stub to the one behind IRETQ the unwinder must then find the very
same behind the trap's own frames. It must from inside C, too, where the registers have long been
used for other things: there a missing row shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import gdb

GENERAL = "rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15".split()
FRAME = "rip cs rflags rsp ss".split()  # what the CPU pushes, upwards: SDM vol. 3, 6.14.2
REGISTERS = GENERAL + FRAME
CALLEE_SAVED = "rbx r12 r13 r14 r15".split()  # and RBP: System V ABI, figure 3.4
PRESERVED = ["rip", "rsp", "rbp", *CALLEE_SAVED]  # by a call
GDB_NAMES = {"rflags": "eflags"}
# GDB takes a name, too, and then searches all of its registers.
DESCRIPTORS = {
    name: gdb.selected_frame().architecture().registers().find(GDB_NAMES.get(name, name))
    for name in REGISTERS
}
PATTERN = 0x0123456789ABCDEF
RF = 1 << 16  # of RFLAGS

NMI = 2
ERROR_CODES = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}  # APM vol. 2, table 8-1
VECTORS = 256
STUB_SIZE = 16

STEPS_LIMIT = 20_000
C_LIMIT = 300  # instructions of C in a row; every register has been used by then
WRONG_LIMIT = 20
POISON = bytes([0xA5]) * 256

# Opcode of a software interrupt, and its length: the saved RIP is behind it.
SOFTWARE_INTERRUPTS = {0xCC: 1, 0xCD: 2, 0xCE: 1}


@dataclass
class Link:
    """A frame as the unwinder tells it."""

    name: str
    is_trap: bool
    registers: dict[str, int]


@dataclass
class Chain:
    """The frames from the newest to the oldest, and why there are no more."""

    links: list[Link]
    end: str

    def callers(self) -> Chain:
        """All but the newest frame."""
        return Chain(self.links[1:], self.end)

    def split(self) -> tuple[list[str], Chain] | None:
        """The names of the newest trap's own frames, and what it has interrupted."""
        for number, link in enumerate(self.links):
            if link.is_trap:
                names = [link.name for link in self.links[: number + 1]]
                return names, Chain(self.links[number + 1 :], self.end)
        return None


@dataclass
class Trap:
    """A trap under way: what it has interrupted, and where its `struct regs` lies, once known."""

    interrupted: Chain
    frame: int  # RSP at the stub
    steps_in_c: int = 0
    regs: int | None = None
    slots: dict[str, int] = field(default_factory=dict)
    abandoned: bool = False  # the handler has sent the CPU elsewhere, to another stack


def registers(frame: gdb.Frame, names: list[str] = REGISTERS) -> dict[str, int]:
    return {name: int(frame.read_register(DESCRIPTORS[name])) % 2**64 for name in names}


def unwind() -> Chain:
    """Return the frames: of the newest, of a trap and of what it interrupts with all registers, of
    another with those that a call preserves."""
    links = []
    names = REGISTERS
    frame = gdb.newest_frame()
    try:
        while frame:
            # An inlined function has no frame of its own; GDB shows it or not.
            if frame.type() != gdb.INLINE_FRAME:
                is_trap = frame.type() == gdb.SIGTRAMP_FRAME
                names = REGISTERS if is_trap else names
                links.append(Link(frame.name() or "?", is_trap, registers(frame, names)))
                names = REGISTERS if is_trap else PRESERVED
            last, frame = frame, frame.older()
    except gdb.error as error:
        return Chain(links, str(error))
    return Chain(links, gdb.frame_stop_reason_string(last.unwind_stop_reason()))


def address(expression: str) -> int:
    return int(gdb.parse_and_eval(f"(unsigned long)({expression})"))


def memory(start: int, size: int) -> bytes:
    return bytes(gdb.selected_inferior().read_memory(start, size))


def set_registers(values: dict[str, int]) -> None:
    now = registers(gdb.newest_frame())
    for name, value in values.items():
        if now[name] == value:
            continue  # a write is slow
        # Each write may change what GDB takes for the frames, and with it the selected one, whose
        # registers may lie in memory.
        gdb.newest_frame().select()
        gdb.execute(f"set var ${GDB_NAMES.get(name, name)} = {value:#x}")


def fill_registers(names: list[str]) -> None:
    set_registers({name: PATTERN * number % 2**64 for number, name in enumerate(names, 1)})


def run_to(place: str) -> None:
    gdb.Breakpoint(f"*{place}", temporary=True)
    gdb.execute("continue", to_string=True)


class Walk:
    """A walk through traps, one instruction after the other, and what was found wrong."""

    def __init__(self) -> None:
        self.boundaries = 0
        self.wrong: list[str] = []
        self._traps: list[Trap] = []
        stubs = address("&isr_0_DE")
        entry = range(address("&trap_entry_code"), address("&trap_entry_end"))
        self._stubs = range(stubs, stubs + VECTORS * STUB_SIZE)
        self._assembly = (self._stubs, entry)
        self._dispatch = address("trap_dispatch")
        self._abandon = address("&ring_return")
        fields = gdb.lookup_type("struct regs").fields()
        self._offsets = {f.name: f.bitpos // 8 for f in fields if f.name in REGISTERS}

    def in_assembly(self, rip: int) -> bool:
        return any(rip in part for part in self._assembly)

    def in_stub(self, rip: int) -> bool:
        return rip in self._stubs

    def step(self, before: Chain) -> Chain:
        """Execute an instruction. Check where it has led."""
        gdb.execute("stepi", to_string=True)
        self._poison()
        now = unwind()
        if now.links[0].registers == before.links[0].registers:
            return now  # QEMU sometimes executes nothing
        rip, rip_before = now.links[0].registers["rip"], before.links[0].registers["rip"]
        if self.in_stub(rip) and not self.in_assembly(rip_before):
            self.enter(before, now)
        elif self._traps and self._is_iretq(before, now):
            self._leave(now)
        elif self._traps and not self.in_assembly(rip_before):
            self._traps[-1].steps_in_c += 1
            self._note_rewritten_slots()
        if self._traps:
            if self.in_dispatch(now):
                self._traps[-1].regs = now.links[0].registers["rdi"]  # its argument
                self._traps[-1].slots = self._read_slots()
            self.check(now)
        return now

    def _poison(self) -> None:
        """In the assembly, destroy what lies below RSP, as the next NMI may: no row may need it."""
        frame = gdb.newest_frame()
        if self.in_assembly(frame.pc()):
            below = int(frame.read_register("rsp")) % 2**64 - len(POISON)
            gdb.selected_inferior().write_memory(below, POISON)

    def skip_c(self, landmarks: tuple[str, ...] = ()) -> Chain:
        """Run to the end of trap_dispatch() or one of @landmarks."""
        breakpoints = [gdb.Breakpoint(f"*'{name}'") for name in ["trap_entry.return", *landmarks]]
        gdb.execute("continue", to_string=True)
        for breakpoint in breakpoints:
            breakpoint.delete()
        now = unwind()
        self._traps[-1].steps_in_c = 0
        self._note_rewritten_slots()
        self.check(now)
        return now

    def enter(self, before: Chain, now: Chain) -> None:
        """A trap has come; @before is what it has interrupted."""
        interrupted = Chain(before.links[:], before.end)
        first = dict(interrupted.links[0].registers)
        first["rip"] += SOFTWARE_INTERRUPTS.get(memory(first["rip"], 1)[0], 0)
        first["rflags"] = first["rflags"] & ~RF | self._saved_rf(now)
        interrupted.links[0] = Link(interrupted.links[0].name, False, first)
        self._traps.append(Trap(interrupted, now.links[0].registers["rsp"]))

    def _saved_rf(self, now: Chain) -> int:
        """RF as the CPU has saved it, which tests/faults/flags.asm judges."""
        split = now.split()
        return split[1].links[0].registers["rflags"] & RF if split else 0

    def _is_iretq(self, before: Chain, now: Chain) -> bool:
        """It is the only way out of the assembly with the CPU's frame on top of the stack."""
        first = before.links[0].registers
        return (
            self.in_assembly(first["rip"])
            and not self.in_assembly(now.links[0].registers["rip"])
            and first["rsp"] >= self._traps[-1].frame
        )

    def _leave(self, now: Chain) -> None:
        """The trap is over, and what it has interrupted is the newest frame again."""
        self.boundaries += 1
        self._compare(self._traps.pop(), now, now)

    @property
    def is_over(self) -> bool:
        return not self._traps

    def drop(self) -> None:
        """Forget the newest trap."""
        self._traps.pop()

    def in_dispatch(self, now: Chain) -> bool:
        """Whether the first instruction of trap_dispatch() is next."""
        return now.links[0].registers["rip"] == self._dispatch

    def rewrite(self, slots: dict[str, int]) -> None:
        """Do what a handler may, in `struct regs`."""
        for name, value in slots.items():
            place = self._traps[-1].regs + self._offsets[name]
            gdb.selected_inferior().write_memory(place, value.to_bytes(8, "little"))
        self._note_rewritten_slots()

    def _note_rewritten_slots(self) -> None:
        """What C writes into a slot of `struct regs` is the program's from then on."""
        trap = self._traps[-1]
        slots = self._read_slots()
        for name, value in slots.items():
            for link in trap.interrupted.links[: 1 if name in FRAME else None]:
                if link.registers.get(name) != trap.slots[name]:
                    break  # this caller has the register saved elsewhere, or not at all
                link.registers[name] = value
        trap.abandoned |= slots["rip"] == self._abandon
        trap.slots = slots

    def _read_slots(self) -> dict[str, int]:
        data = memory(self._traps[-1].regs, max(self._offsets.values()) + 8)
        return {
            name: int.from_bytes(data[offset : offset + 8], "little")
            for name, offset in self._offsets.items()
        }

    def check(self, now: Chain) -> None:
        """Hold what is behind the newest trap against what it has interrupted."""
        self.boundaries += 1
        split = now.split()
        if split is None:
            self._report(now, f"no frame of a trap in {[link.name for link in now.links]}")
            return
        names, interrupted = split
        if self.in_assembly(now.links[0].registers["rip"]):
            is_whole = len(names) == 1
        else:
            is_whole = names[-2:] == ["trap_dispatch", "trap_entry"]
        if not is_whole:
            self._report(now, f"the trap's own frames are {names}")
        self._compare(self._traps[-1], interrupted, now)

    def _compare(self, trap: Trap, found: Chain, now: Chain) -> None:
        if trap.abandoned:
            expected = Chain(trap.interrupted.links[:1], found.end)
            self.compare(expected, Chain(found.links[:1], found.end), now)
        else:
            self.compare(trap.interrupted, found, now)

    def compare(
        self, expected: Chain, found: Chain, now: Chain, names: list[str] = REGISTERS
    ) -> None:
        """Hold @found against @expected: @names of the first link and of what a trap interrupts,
        and of a caller those that a call preserves."""
        for want, got in zip(expected.links, found.links):
            for name in names:
                seen, value = got.registers[name], want.registers[name]
                if seen != value:
                    self._report(now, f"{want.name}: {name} is {seen:#x}, not {value:#x}")
            names = REGISTERS if want.is_trap else PRESERVED
        if (len(found.links), found.end) != (len(expected.links), expected.end):
            links = [link.name for link in found.links]
            self._report(now, f"the chain is {links}: {found.end}, not {expected.end}")

    def _report(self, now: Chain, text: str) -> None:
        if len(self.wrong) < WRONG_LIMIT:
            rip = now.links[0].registers["rip"]
            self.wrong.append(f"{now.links[0].name}, RIP {rip:#x}: {text}")

    def to_end(self, chain: Chain, landmarks: tuple[str, ...] = ()) -> None:
        """Walk until the outermost trap is over."""
        while not self.is_over and self.boundaries < STEPS_LIMIT and not self.wrong:
            too_long = self._traps[-1].steps_in_c > C_LIMIT
            chain = self.skip_c(landmarks) if too_long else self.step(chain)
        if self.boundaries == STEPS_LIMIT:
            self.wrong.append("the trap does not end")

    def to_end_of_function(self, chain: Chain, callers: Chain) -> Chain:
        """Walk until the CPU leaves the function that it is in, which has @callers."""
        name = chain.links[0].name
        while chain.links[0].name == name:
            self.boundaries += 1
            self.compare(callers, chain.callers(), chain, PRESERVED)
            chain = self.step(chain)
        return chain

    def print_result(self, interrupted: Chain) -> None:
        """Print a line for test_unwind.py."""
        names = [link.name for link in interrupted.links]
        result = {"boundaries": self.boundaries, "wrong": self.wrong}
        print("RESULT", json.dumps(result | {"names": names, "end": interrupted.end}))


def catalogue(name: str, *landmarks: str) -> None:
    """Walk through the trap of a catalogue entry, C included; @landmarks as in skip_c()."""
    run_to("fault_" + name.replace("-", "_"))
    fill_registers(GENERAL)
    walk = Walk()
    chain, before = unwind(), None
    while walk.is_over:
        chain, before = walk.step(chain), chain
    walk.to_end(chain, landmarks)
    walk.print_result(before)


def in_handler() -> dict[str, int]:
    """Go to a C function in the handler of a trap; its callers need RBP and RSP alone. Return the
    registers as they were."""
    run_to("record_take")
    original = registers(gdb.newest_frame())
    fill_registers([name for name in GENERAL if name != "rbp"])
    return original


def nmi() -> None:
    """Walk through an NMI that comes in the handler of another trap."""
    original = in_handler()
    interrupted = unwind()
    gdb.execute("monitor nmi")
    run_to("isr_2_NMI")
    walk_from_stub(interrupted, original, {})


def realigned() -> None:
    """Walk through a trap whose frame lies 8 bytes lower than the CPU can bring it. Only then does
    the AND in front of the call into C move RSP."""
    original = in_handler()
    interrupted = unwind()
    deliver(NMI, False, interrupted.links[0].registers, lower=8)
    walk_from_stub(interrupted, original, {})


def rewritten() -> None:
    """Walk through a trap whose handler writes another value into the slot of every general
    register but RBP, by which the interrupted function's callers are found."""
    original = in_handler()
    interrupted = unwind()
    deliver(NMI, False, interrupted.links[0].registers)
    slots = {name: number for number, name in enumerate(GENERAL) if name != "rbp"}
    walk_from_stub(interrupted, original, slots)


def walk_from_stub(interrupted: Chain, original: dict[str, int], slots: dict[str, int]) -> None:
    """Walk through a trap that has just come. Write @slots when it arrives in C."""
    walk = Walk()
    chain = unwind()
    walk.enter(interrupted, chain)
    walk.check(chain)
    while not walk.in_dispatch(chain) and not walk.wrong:
        chain = walk.step(chain)
    if not walk.wrong:
        walk.rewrite(slots)
        walk.to_end(chain)
    set_registers(original)
    walk.print_result(interrupted)


def function(name: str) -> None:
    """Walk through the function @name up to its first call or IRETQ."""
    run_to(name)
    walk = Walk()
    chain = unwind()
    callers = chain.callers()
    walk.to_end_of_function(chain, callers)
    walk.print_result(callers)


def ring_call(name: str) -> None:
    """Walk through ring0_call or ring3_call into the code that it calls, and from ring_return back
    to the caller."""
    run_to(name)
    original = registers(gdb.newest_frame())
    fill_registers(CALLEE_SAVED)
    walk = Walk()
    chain = unwind()
    callers = chain.callers()
    chain = walk.to_end_of_function(chain, callers)
    outside = chain.callers()  # of the code; code in ring 0 has ring0_call in between
    if outside.links[0].name == name:
        outside = outside.callers()
    walk.compare(callers, outside, chain, PRESERVED)
    run_to("ring_return")
    chain = walk.to_end_of_function(unwind(), callers)
    walk.compare(callers, chain, chain, PRESERVED)
    set_registers({register: original[register] for register in CALLEE_SAVED})
    walk.print_result(callers)


def stubs() -> None:
    """Walk through the own instructions of all stubs, and on to the path that all have in common.
    The ten vectors that carry an error code go both ways, with it and without."""
    run_to("monitor_run")  # which has few callers: all are unwound at each instruction
    original = registers(gdb.newest_frame())
    fill_registers([name for name in GENERAL if name != "rbp"])
    walk = Walk()
    trap_entry = address("&trap_entry")
    interrupted = unwind()
    for vector in range(VECTORS):
        for has_code in (True, False) if vector in ERROR_CODES else (False,):
            deliver(vector, has_code, interrupted.links[0].registers)
            chain = unwind()
            walk.enter(interrupted, chain)
            walk.check(chain)
            while chain.links[0].registers["rip"] != trap_entry and not walk.wrong:
                chain = walk.step(chain)
            walk.drop()
    set_registers(original)
    walk.print_result(interrupted)


def deliver(vector: int, has_code: bool, now: dict[str, int], lower: int = 0) -> None:
    """Do what the CPU does when @vector comes from ring 0 to code that has the registers @now: SDM
    vol. 3, 6.14.2; @lower bytes lower on the stack."""
    ist = address(f"idt[{vector}].ist")
    region = now["rsp"] & -address("CPU_REGION_SIZE")
    top = address(f"((struct cpu *){region})->tss.ist[{ist - 1}]") if ist else now["rsp"] & -16
    top -= lower
    pushed = [0] * has_code + [now[name] for name in FRAME]
    frame = b"".join(value.to_bytes(8, "little") for value in pushed)
    gdb.selected_inferior().write_memory(top - len(frame), frame)
    stub = address("&isr_0_DE") + vector * STUB_SIZE
    set_registers({**now, "rsp": top - len(frame), "rip": stub})
