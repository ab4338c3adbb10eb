"""The catalogue raised on one machine: what comes of each case, and what is to be said of it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import deviations
import native
import trapline
import words
from bochs import Bochs
from catalogue import is_fatal
from deviations import Implementation
from emulator import bochs as bochsrc
from emulator import kvm
from emulator.qemu import NO_SCREEN
from emulator.qemu import version as qemu_version
from guest import Guest
from lists import RFLAGS
from machines import Machines
from qemu import Qemu
from trapline import Fields

CASE_SECONDS = 30  # a case takes a hundredth; an emulator may hang

RIGHT, WRONG, UNSAFE, NOT_RUN = "right", "wrong", "unsafe", "not run"



@dataclass
class Result:
    """What came of one case on one machine."""

    case: str
    verdict: str
    text: str = ""  # what came in the architecture's place, or why it was not run
    expected: list[Fields] = field(default_factory=list)
    seen: list[Fields] = field(default_factory=list)
    answer: str = ""  # the monitor's own words


@dataclass
class Target:
    """A machine to raise the catalogue on."""

    machine: Implementation
    name: str  # in full, for people
    cpus: list[str]  # what the first lacks is looked for in the next
    start: Callable[[str], Guest]
    has_reset: Callable[[Guest], bool]


def qemu_target(iso: str) -> Target:
    """QEMU's own CPU, TCG."""
    version = qemu_version()
    return Target(
        Implementation("qemu-tcg", version),
        f"QEMU {version}, TCG",
        ["max"],
        lambda cpu: Qemu(iso, options=("-cpu", cpu, *NO_SCREEN)),
        _qemu_has_reset,
    )


def kvm_target(iso: str) -> Target:
    """This machine's CPU, by KVM."""
    machine = native.machine()
    under = native.without_place(machine.version) + native.UNDER
    return Target(
        Implementation(deviations.SILICON, under),
        f"{machine.version}, KVM of Linux {platform.release()}",
        [kvm.CPU],
        lambda cpu: Qemu(iso, options=("-accel", "kvm", "-cpu", cpu, *NO_SCREEN)),
        _qemu_has_reset,
    )


def bochs_target(iso: str) -> Target:
    """Bochs, with each CPU model of the table."""
    version = bochsrc.version()
    return Target(
        Implementation("bochs", version),
        f"Bochs {version}",
        list(deviations.cpus("bochs")),
        lambda cpu: Bochs(iso, cpu),
        lambda machine: machine.wait_exit(CASE_SECONDS).endswith(bochsrc.TRIPLE_FAULT),
    )


def _qemu_has_reset(machine: Qemu) -> bool:
    machine.wait_exit(CASE_SECONDS)
    reasons = [e["data"]["reason"] for e in machine.events if e["event"] == "SHUTDOWN"]
    return reasons == ["guest-reset"]


def raise_all(target: Target, cases: list[str]) -> Iterator[Result]:
    """Raise @cases on @target, one after the other."""
    with Machines(target.start) as machines:
        for case in cases:
            yield raise_one(target, machines, case)


def raise_one(target: Target, machines: Machines, case: str) -> Result:
    """Raise @case on one of @machines; what must reset gets one of its own."""
    return _raise_fatal(target, case) if is_fatal(case) else _raise(target, machines, case)


def _raise_fatal(target: Target, case: str) -> Result:
    with Machines(target.start) as machines:
        machine = machines.at_prompt(target.cpus[0])
        machine.type(f"raise {case}")
        try:
            has_reset = target.has_reset(machine)
        except AssertionError:
            has_reset = False
        return Result(case, *((RIGHT,) if has_reset else (WRONG, "no reset")))


def _raise(target: Target, machines: Machines, case: str) -> Result:
    rows = deviations.find(deviations.load(), target.machine.emulator, case)
    command = deviations.how_to_raise(rows, target.machine)
    for model in target.cpus:
        machine = machines.at_prompt(model)
        try:
            answer = machine.ask(f"{command} {case}", CASE_SECONDS)
        except AssertionError as error:
            machines.discard(model)
            ended = "the machine has ended" in str(error)
            return Result(case, WRONG, "the machine ends" if ended else "the machine hangs")
        raised = trapline.parse(answer)
        if not raised.missing_feature:
            break
    return judge(case, raised, answer)


def judge(case: str, raised: trapline.Raised, answer: str = "") -> Result:
    """Say what @raised is worth by the architecture alone."""
    expected = [trap for trap in raised.expected if "interrupted" not in trap]
    result = Result(case, RIGHT, "", expected, raised.traps, answer)
    if raised.danger:
        result.verdict, result.text = UNSAFE, raised.danger
    elif raised.result.startswith("skip"):
        result.verdict, result.text = NOT_RUN, raised.result.removeprefix("skip ")
    elif raised.result != "pass":
        result.verdict, result.text = WRONG, what_came(expected, raised.traps) or raised.result
    return result


def what_came(expected: list[Fields], seen: list[Fields]) -> str:
    """Say in short what of @seen is not @expected, or ''."""
    if not deviations.differences(expected, seen):
        return ""
    if not seen:
        return "no trap"
    vectors = [trap["vector"] for trap in expected], [trap["vector"] for trap in seen]
    if vectors[0] != vectors[1]:
        return words.sequence(list(map(words.trap, seen)))
    said = [_difference(want, got) for want, got in zip(expected, seen)]
    return "; ".join(dict.fromkeys(filter(None, said)))


def _difference(want: Fields, got: Fields) -> str:
    names = deviations.fields_differing(want, got)
    return ", ".join(_field(name, want, got) for name in names)


def _field(name: str, want: Fields, got: Fields) -> str:
    """Say how @got differs in the field @name. Addresses change with every build."""
    if name == "rip":
        return "RIP elsewhere"
    if name in deviations.RFLAGS_BITS:
        bit = "0" if name == "rflags_set" else "1"
        flags = got["rflags"] if bit == "1" else ~got["rflags"]
        wrong = [text for text, mask in RFLAGS.items() if mask & flags & want[name]]
        return f"RFLAGS.{', '.join(wrong)} {bit}"
    if name == "error":
        return "no code" if got["error"] == "none" else f"code {got['error']:#x}"
    value = deviations.value_of(name, got)
    return f"{name.upper()} {value:#x}" if isinstance(value, int) else f"{name.upper()} {value}"


def raise_native(build: Path, cases: list[str]) -> Iterator[Result]:
    """Raise @cases in a process on this CPU, those that can be."""
    seen, reasons = native.raise_all(build), native.reasons()
    for case in cases:
        if case not in seen:
            yield Result(case, NOT_RUN, "a process has no ring 0")
        elif case in reasons:
            yield Result(case, NOT_RUN, reasons[case])
        else:
            yield _judge_native(case, seen[case])


def _judge_native(case: str, raised: trapline.Raised) -> Result:
    result = judge(case, raised)
    expected = list(map(native.without_if, result.expected))
    if result.verdict != NOT_RUN and (came := what_came(expected, result.seen)):
        result.verdict, result.text = WRONG, came
    return result
