"""One entry's part of a log becomes a recording, if all that was measured agrees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

import trapline
import witness
import words
from catalogue import Entry
from explorer import duties
from explorer.delivery import Delivery
from explorer.log import Delivered, Event, Executed, Log, Registers
from explorer.machine import Raised
from explorer.memory import Memory
from explorer.program import Program
from explorer.replay import Disagreement, Replay, Step
from manuals import VECTORS
from trapline import USER_CALL, Fields

FORMAT = 1
STEPS_LIMIT = 3000
BROKEN_STEPS_LIMIT = 600
EVENTS_LIMIT = 10 * STEPS_LIMIT
CUT_EVENTS = 4000  # of a log that was cut, the first ones, which are all in it: machine.LIMIT
SHOWN_OF_RUN = 8  # instructions at the begin and at the end of what a program does between traps
REGISTERS = (
    "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags"
    " cs ss ds es fs gs cr2 cr3 dr6"
).split()


PANIC = re.compile(r"^KERNEL PANIC: (.*)$", re.MULTILINE)
GOES_ON = f"It goes on: these are its first {STEPS_LIMIT} steps at most."
ENDS = "The machine ends here: it resets."


class Nothing(Exception):
    """There is nothing to record; the text says why."""


@dataclass
class Source:
    """What recordings of one machine have in common."""

    program: Program
    log: Log
    tables: Memory
    kernel: str  # for people
    machine: str
    logged: list[range]  # where instructions are in the log


@dataclass
class Part:
    """The events of one entry."""

    events: list[Event]
    first: int  # the instruction that traps
    own: list[Delivered]  # the traps that the kernel has reported
    reported: list[Fields]


def runs(source: Source) -> dict[int, list[Event]]:
    """Return the events of each entry by the address of its code: from the kernel's call of it to
    the return of that."""
    program = source.program
    calls = {program.symbol(name).address for name in ("ring0_call", "ring3_call")}
    end = program.symbol("ring_end").address - 1  # its RET
    found: dict[int, list[Event]] = {}
    current: list[Event] | None = None
    for event in source.log.events:
        if isinstance(event, Executed) and event.rip in calls:
            current = found[event.registers["rdi"]] = []
        if current is not None:
            current.append(event)
        if event.rip == end:
            current = None
    return found


def _is_end_of_ring_3(event: Delivered) -> bool:
    record = event.record
    return record.software and record.vector == USER_CALL and record.cpl == 3


def _part(events: list[Event], raised: trapline.Raised, programs: list[range]) -> Part:
    """Find in @events the traps that the kernel has @raised. The code of entries is in @programs."""
    deliveries = [event for event in events if isinstance(event, Delivered)]
    candidates = [event for event in deliveries if not _is_end_of_ring_3(event)]
    if len(deliveries) > len(candidates) and any(
        trap["vector"] == USER_CALL for trap in raised.traps
    ):
        candidates = deliveries
    if not candidates:
        if raised.traps:
            raise Disagreement("the kernel reports a trap, and QEMU has delivered none")
        _, _, reason = raised.result.partition(" ")
        raise Nothing(f"no trap comes: {reason}" if reason else "no trap comes")
    first = events.index(candidates[0])
    before = events[first - 1]
    if isinstance(before, Executed) and any(before.rip in where for where in programs):
        first -= 1
    return Part(events, first, candidates, raised.traps)


def _follow(replay: Replay, part: Part, back: int, limit: int) -> bool:
    """Take the steps of @part, of @limit events at most, up to the first instruction behind its last
    trap. Return whether it comes to that. @back is where the kernel ends an entry."""
    last = max(i for i, event in enumerate(part.events) if event is part.own[-1])
    depth = 0
    for number in range(part.first, len(part.events)):
        event = part.events[number]
        if isinstance(event, Delivered):
            depth += event.record.delivered
        elif number > last and (depth <= 0 or event.rip == back):
            replay.take(number)
            return True
        if number - part.first >= limit:
            return False
        before = replay.returns
        replay.take(number)
        depth -= replay.returns - before
    return False


def _shortened(steps: list[Step], programs: list[range]) -> list[Step]:
    """@steps with the middle of each long run of a program's own instructions as one step."""
    found: list[Step] = []
    is_own = [s.rip is not None and any(s.rip in where for where in programs) for s in steps]
    for own, numbers in groupby(range(len(steps)), is_own.__getitem__):
        run = [steps[number] for number in numbers]
        if own and len(run) > 2 * SHOWN_OF_RUN + 1:
            middle = run[SHOWN_OF_RUN:-SHOWN_OF_RUN]
            run[SHOWN_OF_RUN:-SHOWN_OF_RUN] = [_joined(middle)]
        found += run
    return found


def _joined(steps: list[Step]) -> Step:
    """@steps as one."""
    one = Step(skipped=len(steps), says=f"the program runs for {len(steps)} instructions")
    for step in steps:
        one.registers |= step.registers
        one.writes |= step.writes
    return one


def _check_deliveries(replay: Replay, program: Program) -> None:
    """Hold where each delivery went against its vector."""
    for _event, delivery in replay.deliveries:
        if delivery.after is None:
            continue
        first = program.stubs.start + 16 * delivery.record.vector
        due = delivery.gate.offset if delivery.gate else first
        if delivery.after["rip"] != due:
            raise Disagreement(
                f"vector {delivery.record.vector} went to {delivery.after['rip']:x}, not {due:x}"
            )


def _check_reports(part: Part, replay: Replay, peek: int, stubs: range, is_whole: bool) -> None:
    """Hold the kernel's report of each trap against QEMU's record and against what was pushed. If
    the log is not @is_whole, the traps behind the last step are nobody's."""
    played = {id(event) for event, _delivery in replay.deliveries}
    records = [event.record for event in part.own if is_whole or id(event) in played]
    seen = witness.witnessed(records, part.reported, peek)
    ordered = witness.in_order_of_handling(seen, stubs)
    reported = part.reported if is_whole else part.reported[: len(ordered)]
    if len(ordered) != len(reported):
        raise Disagreement(
            f"the kernel reports {len(reported)} traps, QEMU delivered {len(ordered)}"
        )
    told = list(filter(None, map(witness.contradiction, reported, ordered)))
    if told:
        raise Disagreement(told[0])
    frames = {id(event.record): delivery for event, delivery in replay.deliveries}
    for trap, record in zip(reported, ordered):
        delivery = frames.get(id(record))
        if delivery is None or delivery.after is None:
            continue
        for name, value in delivery.pushed:
            key = "error" if name == "error code" else name
            if key in trap and trap[key] not in (value, "none"):
                raise Disagreement(
                    f"the CPU pushed {name} {value:#x}, the kernel reports {trap[key]:#x}"
                )


def code_table(
    steps: list[Step], replay: Replay, program: Program, code: dict[int, bytes]
) -> dict[str, dict]:
    """The instructions of the steps by their address."""
    addresses = sorted({step.rip for step in steps if step.rip is not None})
    lines = program.lines(addresses)
    purposes = duties.of_steps(replay, program)
    found = {}
    for address in addresses:
        insn = replay.instructions.get(address)
        file, line = lines.get(address, (None, None))
        found[f"{address:x}"] = {
            "symbol": program.place(address),
            "file": file,
            "line": line,
            "bytes": code.get(address, b"").hex(),
            "text": f"{insn.mnemonic} {insn.op_str}".strip() if insn else "",
            "duty": purposes.get(address),
        }
    return found


def start_of(registers: Registers, stack: str, window: dict[int, int]) -> dict:
    return {
        "registers": {name: f"{registers[name]:x}" for name in REGISTERS},
        "stack": stack,
        "window": [
            [f"{address:x}", f"{window[address]:x}", "before"]
            for address in sorted(window, reverse=True)
        ],
    }


def make(source: Source, entry: Entry, answer: Raised, events: list[Event]) -> dict:
    """Return the recording of @entry, to which the kernel gave @answer. Raises Disagreement, or
    Nothing."""
    raised = trapline.parse(answer.text)
    if raised.result.startswith("skip "):
        raise Nothing(raised.result.removeprefix("skip "))
    if answer.hangs:
        raise Disagreement("it does not come to its end")
    if not answer.has_ended and not raised.result.startswith(("pass", "known")):
        raise Disagreement(raised.result.removeprefix("fail ") or "the kernel gives no result")
    part, replay, head = _replay(source, entry, answer, events)
    program = source.program
    _check_deliveries(replay, program)
    if not answer.has_ended:
        peek = program.symbol("peek.read").address
        _check_reports(part, replay, peek, program.stubs, is_whole=not answer.is_long)
    if raised.result.startswith("known"):
        head["deviates"] = raised.result.partition(" ")[2]
    return head | _body(source, replay, STEPS_LIMIT)


def make_broken(source: Source, entry: Entry, answer: Raised, events: list[Event]) -> dict:
    """Return the recording of @entry in a kernel that is broken: up to the damage, whatever the
    kernel says of it."""
    raised = trapline.parse(answer.text)
    _part, replay, head = _replay(source, entry, answer, events)
    words = raised.result.removeprefix("fail ") if raised.result.startswith("fail") else ""
    if answer.is_last:
        panic = PANIC.search(answer.text)
        end = "the machine resets" if answer.has_ended else "the kernel says no more"
        words = f"the kernel panics: {panic[1]}" if panic else end
    if words:
        head["note"] = f"What comes of it: {words}."
    return head | _body(source, replay, BROKEN_STEPS_LIMIT)


def _replay(
    source: Source, entry: Entry, answer: Raised, events: list[Event]
) -> tuple[Part, Replay, dict]:
    """Play @events. Return the head of the recording as well."""
    program, raised = source.program, trapline.parse(answer.text)
    part = _part(events, raised, program.programs)
    replay = Replay(program, source.log.code, source.tables.copy(), part.events, source.logged)
    replay.lead_in(part.first)
    start = dict(replay.state), replay.stack
    limit = CUT_EVENTS if answer.is_long else EVENTS_LIMIT
    is_whole = _follow(replay, part, program.symbol("ring_return").address, limit)
    completed = [delivery for _event, delivery in replay.deliveries if delivery.after is not None]
    head = describe(source, entry, replay, (completed or [replay.deliveries[0][1]])[0])
    head["expects"] = words.sequence(list(map(words.expectation, raised.expected)))
    head["note"] = None if is_whole else ENDS if answer.has_ended else GOES_ON
    head["start"] = start_of(*start, replay.window)
    return part, replay, head


def _body(source: Source, replay: Replay, limit: int) -> dict:
    """The steps, @limit at most, and their instructions."""
    steps = _shortened(replay.steps, source.program.programs)[:limit]
    return {
        "code": code_table(steps, replay, source.program, source.log.code),
        "steps": [step.json() for step in steps],
    }


def describe(source: Source, entry: Entry, replay: Replay, first: Delivery) -> dict:
    """The head of a recording, whose first trap is @first."""
    vector = VECTORS.get(first.record.vector)
    text = entry.file.read_text()
    return {
        "format": FORMAT,
        "kernel": source.kernel,
        "machine": source.machine,
        "group": "fault",
        "name": entry.name,
        "summary": entry.summary,
        "file": source.program.named(str(entry.file.resolve())),
        "line": text[: text.index(entry.text)].count("\n") + 1,
        "vector": first.record.vector,
        "mnemonic": vector.mnemonic if vector else None,
        "title": vector.name if vector else f"Vector {first.record.vector}",
        "class": vector.kind if vector else "INTERRUPT",
        "ring": entry.ring,
        "error": f"{first.record.error:x}" if first.has_code else None,
        "stack": first.stack or "kernel",
    }
