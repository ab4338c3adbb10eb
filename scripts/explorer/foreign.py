"""Plays the interrupt stubs of anybody's kernel in stublint's emulator, step by step, with what
stublint finds at the instruction where it is found."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from explorer.delivery import SAYS, SLOT
from explorer.duties import of_texts
from explorer.lines import Lines
from explorer.memory import Memory
from explorer.recording import FORMAT
from explorer.replay import KERNEL_STACK, USER_STACK, Step
from lint import cli
from lint.architecture import MNEMONICS, ranges, vector_name
from lint.checks.contract import Contract
from lint.checks.finding import Finding, Group
from lint.checks.rules import RULES
from lint.engine.disasm import Decoder
from lint.engine.trace import Entry, Moment, Trace, Write
from lint.engine.values import (
    KERNEL_GS,
    OTHER_STACK,
    STACK_BASE,
    STACK_SIZE,
    USER_GS,
    Variant,
)
from lint.load.image import Image
from lint.load.mangling import readable
from lint.load.sources import Source, load
from lint.report.painter import Painter
from manuals import VECTORS
from version import version

STEPS_LIMIT = 600
FRAME = ("ss", "rsp", "rflags", "cs", "rip")  # from the highest address down
NUMBER = re.compile(r"\b(0x[0-9a-f]+|\d+)\b")
MACHINE = "stublint's emulator"

# How a run ends, for whoever looks at its last step; what is wrong with it is a finding.
ENDS = {
    "iretq": "The interrupted program goes on here.",
    "lost": "It goes to {value}, where there is no code.",
    "invalid": "The next bytes are no instruction.",
    "wild": "It reads or writes at {value}, where there is no memory.",
    "exception": "This instruction raises an exception.",
    "misaligned": "Its operand at {value} is not aligned: a general protection fault.",
    "budget": "It does not return: this goes on and on.",
    "halt": "It waits here, and does not return.",
    "noreturn": "The function called here does not return.",
    "switch": "It goes on with RSP = {value}, a stack of which nobody knows anything here.",
    "unsupported": "The emulator does not know this instruction.",
    "trap": "This instruction is a trap of its own.",
    "return": "It ends in RET, which takes {value} for its way back.",
    "tail": "C is entered by a jump, and returns to {value}.",
    "iret32": "It returns by the IRET of 32-bit code.",
    "sysret": "It returns by SYSRET.",
}
FAILURES = ("lost", "invalid", "exception", "wild", "budget")  # in the midst of an instruction


@dataclass
class Kernel:
    """A kernel's recordings, and what was found."""

    name: str
    recordings: list[dict] = field(default_factory=list)
    findings: list[dict] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)


@dataclass
class Told:
    """What the report says of a group of findings."""

    words: dict
    group: Group

    @property
    def shown(self) -> dict:
        """What is said of it at its step."""
        return {k: self.words[k] for k in ("rule", "severity", "seen", "due", "fix", "manual")}


def record(arguments: list[str]) -> Kernel:
    """Play the kernel that stublint's @arguments name. Raises CannotRun."""
    options, allowances = cli.configured(arguments)
    with load(options) as source:
        found = cli.examine(options, allowances, source)
        return _Recorder(options, source, found.contract, found.groups).kernel()


class _Recorder:
    """Makes the recordings of one kernel."""

    def __init__(
        self, options: argparse.Namespace, source: Source, contract: Contract, groups: list[Group]
    ) -> None:
        self._source, self._contract = source, contract
        self._painter = Painter(source.image, contract.decoder)
        self._told = [Told(self._words(group), group) for group in groups]
        self._lines = Lines(options.files)
        plain = {entry: contract.plain_runs(entry) for entry in source.entries}
        owners = Counter(pc for runs in plain.values() for pc in set().union(*map(_ran, runs)))
        self._shared = {pc for pc, count in owners.items() if count > 1}
        self._plain = plain

    def kernel(self) -> Kernel:
        kernel = Kernel(", ".join(Path(file).name for file in self._source.name.split(", ")))
        names: dict[tuple[Entry, Variant], str] = {}
        for entry, variant, like in self._chosen():
            name = _name(entry, variant, set(names.values()))
            names[entry, variant] = name
            kernel.recordings.append(self._recording(kernel.name, name, entry, variant, like))
        for told in self._told:
            trace = told.group.first.trace
            first = names.get((trace.entry, trace.variant)) if trace else None
            kernel.findings.append(told.words | _where(told, kernel.recordings, first))
        pcs = {int(rip, 16) for recording in kernel.recordings for rip in recording["code"]}
        places = self._lines.of(sorted(pcs))
        for recording in kernel.recordings:
            for rip, code in recording["code"].items():
                code["file"], code["line"] = places.get(int(rip, 16), (None, None))
        kernel.sources = self._lines.texts()
        return kernel

    def _chosen(self) -> list[tuple[Entry, Variant, list[int]]]:
        """The runs worth seeing, with the vectors that are like each: those of the findings, and from
        both rings all vectors that have a name, and of the others one for each kind."""
        found: dict[tuple[Entry, Variant], list[int]] = {}
        for told in self._told:
            first = told.group.first
            trace = first.trace or self._plain_of(first.vector)
            if trace and trace.entry in self._plain:
                found[trace.entry, trace.variant] = told.group.vectors
        kinds: dict[object, list[Entry]] = {}
        for entry in self._plain:
            kinds.setdefault(self._kind(entry), []).append(entry)
        for entries in kinds.values():
            vectors = [entry.vector for entry in entries]
            named = [entry for entry in entries if entry.vector in MNEMONICS]
            for entry in named or entries[:1]:
                for trace in self._plain[entry]:
                    found[entry, trace.variant] = vectors
        return [(entry, variant, like) for (entry, variant), like in found.items()]

    def _plain_of(self, vector: int | None) -> Trace | None:
        return next((runs[0] for entry, runs in self._plain.items() if entry.vector == vector), None)

    def _kind(self, entry: Entry) -> object:
        """What stubs that do the same have in common, whatever their numbers."""
        return tuple(
            (trace.variant.has_code, trace.end.kind, tuple(map(self._essence, trace.path)))
            for trace in self._plain[entry]
        )

    def _essence(self, pc: int) -> object:
        instruction = self._contract.decoder.at(pc)
        if pc in self._shared or instruction is None:
            return pc
        return NUMBER.sub("#", instruction.text)

    def _words(self, group: Group) -> dict:
        rule = RULES[group.rule]
        return {
            "rule": group.rule,
            "severity": "allowed" if group.reason is not None else group.severity,
            "title": group.title(),
            "seen": group.seen + (f", {group.when}" if group.when else ""),
            "due": group.due,
            "symptom": rule.symptom,
            "fix": group.fix,
            "manual": rule.manual,
            "leads_to": group.leads_to,
            "reason": group.reason,
            "at": [self._painter.place(pc) for pc in group.where[:4]],
        }

    def _recording(
        self, kernel: str, name: str, entry: Entry, variant: Variant, like: list[int]
    ) -> dict:
        trace = self._contract.play(entry, variant)
        player = _Player(trace, self._source.image, self._contract.decoder, self._shared)
        steps = player.steps()
        for told in self._told:
            mine = [f for f in told.group.findings if _is_of(f, entry, variant)]
            for number in set(map(player.place, mine)) - {None}:
                steps[number].findings.append(told.shown)
        vector = VECTORS.get(entry.vector) if entry.known else None
        others = [number for number in like if number != entry.vector]
        return {
            "format": FORMAT,
            "kernel": kernel,
            "machine": f"{MACHINE}, barestub {version()}",
            "group": "foreign",
            "name": name,
            "summary": f"{readable(entry.name)}, {variant}"
            + (f"; vectors {ranges(others)} are like it" if others else ""),
            "file": kernel,
            "line": 1,
            "vector": entry.vector,
            "mnemonic": vector.mnemonic if vector else None,
            "title": vector.name if vector else f"Vector {entry.vector}",
            "class": vector.kind if vector else "INTERRUPT",
            "ring": variant.ring,
            "error": f"{trace.values.code:x}" if variant.has_code else None,
            "stack": player.stack,
            "expects": "Every register as it was.",
            "note": player.note(),
            "actors": player.actors(),
            "start": player.start,
            "code": player.code(),
            "steps": [step.json() for step in steps[:STEPS_LIMIT]],
        }


def _ran(trace: Trace) -> set[int]:
    """The addresses of the instructions of @trace."""
    return {*trace.path, trace.end.moment.pc}


def _is_of(finding: Finding, entry: Entry, variant: Variant) -> bool:
    """Whether @finding is to be seen in this run: it was made in it, or in none, for the stub."""
    trace = finding.trace
    if trace is None:
        return finding.vector == entry.vector
    return trace.entry == entry and trace.variant == variant


def _where(told: Told, recordings: list[dict], first: str | None) -> dict:
    """The recording in which it is @told, and the step; if there are several, the one called
    @first."""
    found = [
        (recording, number)
        for recording in recordings
        for number, step in enumerate(recording["steps"])
        if told.shown in step.get("finding", ())
    ]
    found.sort(key=lambda place: place[0]["name"] != first)
    recording, step = found[0] if found else ({}, None)
    return {"recording": recording.get("name"), "step": step}


def _name(entry: Entry, variant: Variant, taken: set[str]) -> str:
    """A name for addresses and lists, unlike those that are @taken."""
    mnemonic = MNEMONICS.get(entry.vector, "").lstrip("#").lower()
    parts = [str(entry.vector), mnemonic, f"ring-{variant.ring}"]
    parts += ["df-ac"] if variant.flags else []
    parts += ["user-gs"] if variant.ring == 0 and variant.user_gs else []
    name = "-".join(filter(None, parts))
    return next(n for n in (name, *(f"{name}-{k}" for k in range(2, 99))) if n not in taken)


class _Player:
    """The steps of one run."""

    def __init__(self, trace: Trace, image: Image, decoder: Decoder, shared: set[int]) -> None:
        self._trace, self._image, self._decoder, self._shared = trace, image, decoder, shared
        self._memory = Memory()
        self._names: set[str] = set()  # that slots have
        self._registers = {value: name for name, value in trace.values.registers.items()}
        self._steps: list[Step] = []
        self._at: dict[int, int] = {}  # the step of each position in the path
        self._last: dict[int, int] = {}  # the last step of each address
        self._writes: dict[int, list[Write]] = {}
        for write in trace.writes:
            self._writes.setdefault(write.position - 1, []).append(write)
        self._calls = {call.moment.position: call for call in trace.calls}
        entry, ring = trace.entry, trace.variant.ring
        self.stack = f"IST {entry.ist}" if entry.ist else "RSP0" if ring else KERNEL_STACK
        values = trace.values
        self._state = {
            **values.registers,
            **values.frame,
            "gs base": USER_GS if trace.variant.user_gs else KERNEL_GS,
        }
        self.start = {
            "registers": {name: f"{value:x}" for name, value in self._state.items()},
            "stack": USER_STACK if ring else KERNEL_STACK,
            "window": [],
        }

    def steps(self) -> list[Step]:
        """All of them: the CPU's, and those of the instructions."""
        self._deliver()
        moments = self._moments()
        for moment, following in zip(moments, [*moments[1:], None]):
            self._execute(moment, following)
        if self._trace.end.kind == "iretq":
            self._return(moments[-1])
        return self._steps

    def _moments(self) -> list[Moment]:
        """The state before each instruction, with that at which the run has ended."""
        trace, last = self._trace, self._trace.end.moment
        is_in_path = trace.end.kind in FAILURES and trace.path and trace.path[-1] == last.pc
        return trace.watched if is_in_path else [*trace.watched, last]

    def place(self, finding: Finding) -> int | None:
        """The step at which @finding is made, if it is in this run."""
        moment, pc = finding.moment, finding.pc
        path = self._trace.path
        if moment and moment.position < len(path) and path[moment.position] == pc:
            return self._at[moment.position]
        return self._last.get(pc)

    def note(self) -> str:
        if len(self._steps) > STEPS_LIMIT:
            return f"It goes on: these are its first {STEPS_LIMIT} steps."
        end = self._trace.end
        value = self._image.describe(end.value) if end.value else "address 0"
        return ENDS[end.kind].format(value=value)

    def actors(self) -> dict[str, str]:
        """What those who push are called in this kernel."""
        found = {"stub": readable(self._trace.entry.name)}
        shared = [pc for pc in self._trace.path if pc in self._shared]
        if shared:
            found["trap_entry"] = self._image.describe(shared[0]).partition("+")[0]
        return found

    def code(self) -> dict[str, dict]:
        path = list(dict.fromkeys(step.rip for step in self._steps if step.rip is not None))
        instructions = {pc: self._decoder.at(pc) for pc in path}
        texts = {pc: self._decoder.words(i) for pc, i in instructions.items() if i}
        purposes = of_texts(texts)
        return {
            f"{pc:x}": {
                "symbol": self._image.describe(pc),
                "bytes": (self._image.read(pc, i.size) or b"").hex() if i else "",
                "text": texts.get(pc, "(no instruction)"),
                "duty": purposes.get(pc),
            }
            for pc, i in instructions.items()
        }

    # The CPU's own steps.

    def _deliver(self) -> None:
        trace, values = self._trace, self._trace.values
        entry, variant = trace.entry, trace.variant
        name = vector_name(entry.vector) if entry.known else readable(entry.name)
        code = f", error code {values.code:#x}" if variant.has_code else ", no error code"
        self._cpu("event", f"{name[0].upper()}{name[1:]}{code}.")
        self._cpu("gate", f"Its gate of the IDT leads to {readable(entry.name)}.")
        ring = variant.ring
        self._cpu("privilege", f"CPL {ring} -> 0" if ring else "CPL stays 0")
        if self.stack != KERNEL_STACK:
            slot = f"TSS.IST{entry.ist}" if entry.ist else "TSS.RSP0"
            why = "the gate names it" if entry.ist else "the ring changes"
            self._cpu("stack switch", f"RSP comes from {slot}: {why}.", {"rsp": values.top})
            self._steps[-1].stack = self.stack
        gap = self._state["rsp"] - values.top
        words = f"RSP is aligned down to 16: {gap} bytes stay unused."
        self._cpu("alignment", words if gap else "RSP is a multiple of 16 already: no gap.",
                  {"rsp": values.top})  # fmt: skip
        place = values.top
        pushed = [(name, values.frame[name]) for name in FRAME]
        for name, value in pushed + ([("error code", values.code)] if variant.has_code else []):
            place -= SLOT
            self._cpu(f"push {name}", SAYS[name], {"rsp": place})
            self._slot(self._steps[-1], place, value, "CPU", name)
        first = trace.watched[0] if trace.watched else trace.end.moment
        self._cpu("jump", f"RIP comes from the gate: {readable(entry.name)}.", _of(first))

    def _cpu(self, name: str, says: str, registers: dict[str, int] | None = None) -> None:
        step = Step(delivery=name, says=says)
        self._steps.append(step)
        self._become(step, registers or {})

    # The instructions.

    def _execute(self, moment: Moment, following: Moment | None) -> None:
        who = "trap_entry" if moment.pc in self._shared else "stub"
        step = Step(rip=moment.pc, who=who)
        self._at[moment.position] = self._last[moment.pc] = len(self._steps)
        self._steps.append(step)
        for write in self._writes.get(moment.position, ()):
            self._write(step, write, who)
        call = self._calls.get(moment.position)
        if call is None:
            self._become(step, _of(following) if following else {})
            return
        if not call.by_jump:
            place = moment.rsp - SLOT
            self._slot(step, place, call.return_address, who, "return address")
            self._become(step, {"rsp": place})
        if call.callee.address is not None:
            self._become(step, {"rip": call.callee.address})
        if following:
            says = f"{call.callee.name} is taken for C, and is not run: what C may destroy it does."
            hidden = Step(says=says)
            self._steps.append(hidden)
            self._become(hidden, _of(following))

    def _write(self, step: Step, write: Write, who: str) -> None:
        if not any(base <= write.address < base + STACK_SIZE for base in (STACK_BASE, OTHER_STACK)):
            return
        self._memory.store(write.address, write.size, write.value)
        place = write.address & ~(SLOT - 1)
        self._slot(step, place, self._memory.load(place, SLOT), who, self._called(write))

    def _slot(self, step: Step, place: int, value: int | None, who: str, name: str) -> None:
        self._memory.store(place, SLOT, value)
        self._names.add(name)
        step.writes[place] = value, who, name

    def _called(self, write: Write) -> str:
        """What @write puts there."""
        values, vector = self._trace.values, self._trace.entry.vector
        if write.value in self._registers:
            return self._registers[write.value]
        if write.value == values.code and self._trace.variant.has_code:
            return "error code"
        instruction = self._decoder.at(write.pc)
        operand = instruction.detail.op_str if instruction else ""
        if operand in values.registers:
            return operand
        if write.value == 0 and "error code" not in self._names and "vector" not in self._names:
            return "error code"
        return "vector" if write.value == vector else ""

    def _return(self, moment: Moment) -> None:
        """What IRETQ takes from the stack."""
        names = reversed(FRAME)
        taken = {name: moment.word(moment.rsp + SLOT * k) for k, name in enumerate(names)}
        step = self._steps[-1]
        self._become(step, {name: value for name, value in taken.items() if value is not None})
        step.stack = self.start["stack"]

    def _become(self, step: Step, registers: dict[str, int]) -> None:
        for name, value in registers.items():
            if self._state.get(name) != value:
                step.registers[name] = self._state[name] = value


def _of(moment: Moment) -> dict[str, int]:
    more = {"rip": moment.pc, "rflags": moment.rflags, "gs base": moment.gs}
    return {**moment.registers, **more}

