"""Records the interrupt functions of the compilers beside our own path: the same page fault, played in
an emulator that knows no kernel. The CPU's part is as the architecture has it."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

import unicorn
from unicorn import x86_const as x86

from explorer.log import GENERAL, Delivered, Event, Executed, Registers
from explorer.memory import Memory
from explorer.program import Program
from explorer.recorder import ROOT, Result
from explorer.recording import FORMAT, code_table, start_of
from explorer.replay import Replay
from intlog import Record
from manuals import CONSTANTS, VECTORS
from paths import handlers
from paths.handlers import InterruptPath, must
from version import version

VECTOR, CODE, ADDRESS = 14, 2, 0x602000  # a write to a page that is not there
TEXT, STACK, IDT = 0xFFFFFFFF80100000, 0xFFFFFFFFD0008000, 0xFFFFFFFF80180000
STACK_SIZE = 0x6000
INTERRUPTED = 0xFFFFFFFF801F0000  # the program: nothing of it runs
RSP = STACK - 0x1B8
RFLAGS, DR6 = 0x46, 0xFFFF0FF0
GATE = CONSTANTS["SELECTOR_KERNEL_CODE"] << 16 | 0x8E << 40
SHOWN = ("barestub", "gcc", "clang")
DISPATCHER = "trap_dispatch"
DISPATCH = f"global {DISPATCHER}\n{DISPATCHER}: ret\nsection .note.GNU-stack\n"


class PathProgram(Program):
    """A path, linked alone."""

    def __init__(self, elf: Path, path: InterruptPath) -> None:
        super().__init__(elf, ROOT)
        first = self.symbol(f"{path.key}_code")
        shared = [self.symbols.get(f"{path.key}_{name}") for name in ("entry_code", "common")]
        self._stub = range(first.address, first.end)
        places = [symbol for symbol in shared if symbol]
        self._entry = range(0)
        if places:
            self._entry = range(places[0].address, places[-1].end)

    def place(self, address: int) -> str:
        names = {INTERRUPTED: "the program", self.symbol(DISPATCHER).address: DISPATCHER}
        return names.get(address) or super().place(address)

    @property
    def stubs(self) -> range:
        return self._stub

    @property
    def entry(self) -> range:
        return self._entry

    @property
    def programs(self) -> list[range]:
        return [range(INTERRUPTED, INTERRUPTED + 1)]


def _link(work: Path, path: InterruptPath) -> PathProgram:
    source, dispatch, program = (work / f"{path.key}-alone{end}" for end in (".asm", ".o", ".elf"))
    source.write_text(DISPATCH)
    must(["nasm", "-f", "elf64", "-o", str(dispatch), str(source)])
    command = ["ld", f"-Ttext={TEXT:#x}", "-e", "0", "-z", "noexecstack", "-o", str(program)]
    must([*command, str(path.object), str(dispatch)])
    return PathProgram(program, path)


def _event(kind: type, registers: Registers, **more: object) -> Event:
    event = kind(registers["rip"], "", None, **more)
    event.registers = dict(registers)
    return event


def _begin() -> Registers:
    """The registers of the interrupted program: each has a value that is easy to know again."""
    found = {name: 0x0101_0101_0101_0101 * number for number, name in enumerate(GENERAL, 0xA0)}
    data, code = CONSTANTS["SELECTOR_KERNEL_DATA"], CONSTANTS["SELECTOR_KERNEL_CODE"]
    return found | {
        "rsp": RSP, "rip": INTERRUPTED, "rflags": RFLAGS, "cs": code, "ss": data, "ds": data,
        "es": data, "fs": data, "gs": data, "cr2": ADDRESS, "cr3": 0, "dr6": DR6,
    }  # fmt: skip


def _delivered(registers: Registers) -> Event:
    selectors = registers["cs"], registers["rip"], registers["ss"], registers["rsp"]
    record = Record(VECTOR, CODE, False, 0, *selectors, cr2=ADDRESS, hardware=False)
    return _event(Delivered, registers, record=record, idt=IDT, idt_limit=0xFFF)


def _play(program: PathProgram, before: Registers) -> tuple[list[Event], dict[int, bytes]]:
    """Run the path; return what comes, and the bytes of its instructions."""
    cpu = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    if hasattr(unicorn, "UC_CTL_TLB_TYPE"):
        # Else 2.1 clears the bits of an address that no physical one has, 52 to 63.
        cpu.ctl_tlb_mode(unicorn.UC_TLB_VIRTUAL)
    cpu.mem_map(TEXT, 0x10000)
    cpu.mem_map(STACK - STACK_SIZE, STACK_SIZE)
    where, _offset = program.section(".text")
    cpu.mem_write(TEXT, program.data(where.start, len(where)))
    top = RSP & ~15
    frame = [before[name] for name in ("ss", "rsp", "rflags", "cs", "rip")] + [CODE]
    cpu.mem_write(top - 8 * len(frame), struct.pack("<6Q", *reversed(frame)))
    numbers = {name: getattr(x86, f"UC_X86_REG_{name.upper()}") for name in (*GENERAL, "rip")}
    numbers["rflags"] = x86.UC_X86_REG_EFLAGS
    now = {**before, "rsp": top - 8 * len(frame), "rip": program.stubs.start}
    for name, number in numbers.items():
        cpu.reg_write(number, now[name])
    events: list[Event] = []
    code: dict[int, bytes] = {}

    def on_instruction(_cpu: unicorn.Uc, address: int, size: int, _data: object) -> None:
        registers = {**before, **{name: cpu.reg_read(n) for name, n in numbers.items()}}
        registers["rip"] = address
        code[address] = bytes(cpu.mem_read(address, size))
        events.append(_event(Executed, registers))
        if code[address] == b"\x48\xcf":
            cpu.emu_stop()

    cpu.hook_add(unicorn.UC_HOOK_CODE, on_instruction)
    cpu.emu_start(program.stubs.start, 0, count=1000)
    last = events[-1].registers
    slots = struct.unpack("<5Q", cpu.mem_read(last["rsp"], 40))
    back = dict(zip(("rip", "cs", "rflags", "rsp", "ss"), slots))
    events.append(_event(Executed, {**last, **back}))
    return events, code


def _record(path: InterruptPath, work: Path) -> dict:
    program = _link(work, path)
    before = _begin()
    events, code = _play(program, before)
    memory = Memory()
    first = program.stubs.start
    gate = first & 0xFFFF | GATE | (first >> 16 & 0xFFFF) << 48 | first >> 32 << 64
    memory.put(IDT + 16 * VECTOR, gate.to_bytes(16, "little"))
    events = [_event(Executed, before), _delivered(before), *events]
    where = program.section(".text")[0]
    replay = Replay(program, code, memory, events, [where, *program.programs])
    replay.lead_in(0)
    start = start_of(dict(replay.state), replay.stack, replay.window)
    for number in range(len(events)):
        replay.take(number)
    vector = VECTORS[VECTOR]
    return {
        "format": FORMAT,
        "kernel": f"barestub {version()}",
        "machine": f"Unicorn {unicorn.__version__}",
        "group": "compiler",
        "name": f"path-{path.key}",
        "summary": f"a page fault through the path of {path.name}",
        "file": "asm/stubs.asm" if path.family == "ours" else "tests/silicon/handlers.c",
        "line": 1,
        "vector": VECTOR,
        "mnemonic": vector.mnemonic,
        "title": vector.name,
        "class": vector.kind,
        "ring": 0,
        "error": f"{CODE:x}",
        "stack": "kernel",
        "expects": "#PF(0x2), and every register as before",
        "note": "The handler does nothing; the program does not run.",
        "start": start,
        "code": code_table(replay.steps, replay, program, code),
        "steps": [step.json() for step in replay.steps],
    }


def record(build: Path, stubs: list[str]) -> list[Result]:
    """Record the paths that can be built here; @stubs are the kernel's objects."""
    if platform.machine() != "x86_64":
        return []
    work = build / "explorer" / "paths"
    found = handlers.build_all(work, stubs)
    chosen = [path for path in found.paths if path.key in SHOWN]
    return [Result(f"path-{path.key}", _record(path, work)) for path in chosen]
