"""tests/emulators.toml: what a machine is known to do otherwise than the architecture says.

On a machine that was measured a row that holds there must be seen exactly, and where none holds,
the architecture: whatever else comes is a failure, and the table is out of date. On any other
machine a row of the case or the architecture may be seen, and what is seen is reported.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trapline import Fields, Raised

TABLE = Path(__file__).parents[1] / "emulators.toml"

# The catalogue on a CPU itself, with a hypervisor in between or without.
SILICON = "silicon"

# What an `expect:` line says beside the trap itself.
NOT_COMPARED = {"name", "ring", "or_error"}

# Bits of the saved RFLAGS that must be 1, and that must be 0.
RFLAGS_BITS = {"rflags_set", "rflags_clear"}

# The bits of DR6 that tell a cause: B0 to B3, BD, BS, BT. SDM vol. 3, 17.2.3.
DR6_CAUSES = 0xE00F

UNSAFE = "unsafe"
ALL = "-"  # versions


@dataclass(frozen=True)
class Implementation:
    """What runs the catalogue: an emulator of some version, or a CPU."""

    emulator: str  # its ID in the table, or SILICON
    version: str  # such as "7.2.22", or what cpu_identity() says

    def is_one_of(self, versions: str) -> bool:
        """Whether @versions, as the table writes them, has this machine."""
        if self.emulator == SILICON:
            return versions == ALL or f"{self.version} ".startswith(f"{versions} ")
        oldest, dash, newest = versions.partition("-")
        return _cut(self.version, oldest) >= _number(oldest) and (
            (dash and not newest)
            or _cut(self.version, newest or oldest) <= _number(newest or oldest)
        )

    @property
    def is_measured(self) -> bool:
        """Whether the table was made on this machine, and so must be right there."""
        return any(map(self.is_one_of, measured(self.emulator)))


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")] if version else []


def _cut(version: str, bound: str) -> list[int]:
    """Return @version to as many places as @bound has: 7.2.22 is not beyond 7.2."""
    return _number(version)[: len(_number(bound))]


@dataclass(frozen=True)
class Deviation:
    """What comes of one case on some versions of an emulator, or on some CPUs."""

    emulator: str
    case: str
    versions: str
    reason: str
    instead: tuple[Fields, ...] | None  # one for each trap that comes; None: not run there
    read: str = ""  # where upstream says what was not measured
    manual: str = ""  # the section that decides what is due


@cache
def _table() -> dict:
    return tomllib.loads(TABLE.read_text())


@cache
def load(text: str | None = None) -> tuple[Deviation, ...]:
    """Return the rows of the table, or of @text."""
    table = _table() if text is None else tomllib.loads(text)
    rows = tuple(
        Deviation(
            entry["emulator"],
            case,
            entry.get("versions", ALL),
            entry["reason"],
            None if instead == UNSAFE else tuple(instead),
            entry.get("read", ""),
            entry.get("manual", ""),
        )
        for entry in table.get("deviation", [])
        for case, instead in entry["instead"].items()
    )
    _check(rows)
    return rows


def _check(rows: Iterable[Deviation]) -> None:
    """No machine that was measured may have two rows for a case, and no row or bound of its versions
    may come from nowhere."""
    held = Counter()
    for row in rows:
        machines = [Implementation(row.emulator, version) for version in measured(row.emulator)]
        here = [machine for machine in machines if machine.is_one_of(row.versions)]
        bounds = set(row.versions.split("-")) - {""} if row.emulator != SILICON else set()
        is_measured = here and bounds <= set(measured(row.emulator))
        assert is_measured or row.read, f"neither measured nor read: {row}"
        held.update((machine, row.case) for machine in here)
    twice = [key for key, count in held.items() if count > 1]
    assert not twice, f"more than one row: {twice}"


def measured(emulator: str) -> list[str]:
    """Return the versions of @emulator, or the CPUs, on which the table was made."""
    return _table()["emulator"][emulator]["measured"]


def cpus(emulator: str) -> dict[str, list[str]]:
    """Return the CPU models of @emulator, each with the features that it has not got."""
    models = _table()["emulator"][emulator]["cpu"]
    return {cpu["model"]: cpu["lacks"] for cpu in models}


def find(rows: Iterable[Deviation], emulator: str, case: str) -> list[Deviation]:
    """Return the rows for @case on @emulator, of all versions."""
    return [row for row in rows if (row.emulator, row.case) == (emulator, case)]


def how_to_raise(rows: list[Deviation], machine: Implementation) -> str:
    """Return the monitor's word for a case with @rows. The kernel, which does not know the version,
    leaves out what any version would not survive."""
    unsafe = [row for row in rows if row.instead is None]
    is_safe_here = machine.is_measured and not any(machine.is_one_of(r.versions) for r in unsafe)
    return "force" if unsafe and is_safe_here else "raise"


def differences(expected: list[Fields], seen: list[Fields]) -> list[str]:
    """Say where @seen is not @expected, trap by trap. Only the fields of @expected count."""
    found = []
    if len(expected) != len(seen):
        found.append(f"{len(seen)} traps came, not {len(expected)}")
    for number, (want, got) in enumerate(zip(expected, seen), 1):
        for name in fields_differing(want, got):
            seen_value, due = _show(_compared(name, want, got)), _show(want[name])
            found.append(f"trap {number}: {name} is {seen_value}, not {due}")
    return found


def fields_differing(want: Fields, got: Fields) -> list[str]:
    """Return the names of the fields in which the trap @got is not @want."""
    return [
        name
        for name in sorted(want.keys() - NOT_COMPARED)
        if not _is_due(name, want, _compared(name, want, got))
    ]


def _is_due(name: str, want: Fields, value: int | str | None) -> bool:
    is_either = name == "error" and value == want.get("or_error")
    return want[name] in ("any", value) or is_either


def _compared(name: str, want: Fields, got: Fields) -> int | str | None:
    value = value_of(name, got)
    return value & want[name] if name in RFLAGS_BITS else value


def value_of(name: str, got: Fields) -> int | str | None:
    """Return what the trap @got has where an expectation says @name."""
    value = got.get(name)
    if name == "dr6" and isinstance(value, int):
        return value & DR6_CAUSES
    if name == "rflags_set":
        return got["rflags"]
    if name == "rflags_clear":
        return ~got["rflags"]
    return value


def _show(value: int | str | None) -> str:
    return f"{value:#x}" if isinstance(value, int) else str(value)


@dataclass
class Judgement:
    """What is to be said of the traps that came."""

    wrong: list[str]  # why they must not come here
    remark: str = ""  # what should be reported although nothing is wrong
    deviation: Deviation | None = None  # the row that was seen in the architecture's place


def judge(
    expected: list[Fields], seen: list[Fields], rows: list[Deviation], machine: Implementation
) -> Judgement:
    """Hold @seen on @machine against the architecture and against the @rows of the case."""
    from_architecture = differences(expected, seen)
    if machine.is_measured:
        return _judge_strictly(expected, seen, [r for r in rows if machine.is_one_of(r.versions)])
    fitting = [row for row in rows if not from_row(expected, seen, row)]
    if not from_architecture:
        others = ", ".join(row.versions for row in rows)
        return Judgement([], others and f"{machine.version} is right, unlike {others}")
    if fitting:
        row = fitting[0]
        return Judgement([], f"{machine.version} differs as {row.versions}: {row.reason}", row)
    return Judgement(from_architecture)


def judge_own(raised: Raised) -> Judgement:
    """Take the kernel's word for an entry whose file says itself how emulators deviate."""
    verdict, _, reason = raised.result.partition(" ")
    if verdict == "pass":
        return Judgement([])
    if verdict != "known":
        return Judgement([raised.result])
    row = Deviation("", "", "", reason, None)
    return Judgement([], f"differs as its own file says: {reason}", row)


def judge_by_own_rows(expected: list[Fields], raised: Raised) -> Judgement:
    """Hold what came against the architecture and against what the entry's own file has in its
    place."""
    if not (wrong := differences(expected, raised.traps)):
        return Judgement([])
    for own in raised.deviations:
        row = Deviation("", "", "", own.reason, tuple(own.traps))
        if not from_row(expected, raised.traps, row):
            return Judgement([], f"differs as its own file says: {own.reason}", row)
    return Judgement(wrong)


def _judge_strictly(
    expected: list[Fields], seen: list[Fields], due: list[Deviation]
) -> Judgement:
    from_architecture = differences(expected, seen)
    if not due:
        return Judgement(from_architecture)
    if not from_architecture:
        row = f"{due[0].versions}: {due[0].reason}"
        return Judgement([f"as the architecture says, but {TABLE.name} has a row, {row}"])
    return Judgement(from_row(expected, seen, due[0]), deviation=due[0])


def from_row(expected: list[Fields], seen: list[Fields], row: Deviation) -> list[str]:
    """Say where @seen is not what @row has in the place of @expected."""
    if row.instead is None:
        return [f"it is not to be run: {row.reason}"]
    return differences(_merge(expected, row.instead), seen)


def _merge(expected: list[Fields], instead: tuple[Fields, ...]) -> list[Fields]:
    """What comes instead, with the architecture's values where the row names none."""
    last = expected[-1] if expected else {}
    extra = [{}] * (len(instead) - len(expected))
    origins = expected + [last for _ in extra]
    return [
        {
            **(_without_choice(want) if "error" in other else want),
            **{name: _absolute(value, origin.get(name)) for name, value in other.items()},
        }
        for want, origin, other in zip(expected + extra, origins, instead)
    ]


def _without_choice(want: Fields) -> Fields:
    """Where a row names the error code, none of those that the architecture allows is left."""
    return {name: value for name, value in want.items() if name != "or_error"}


def _absolute(value: int | str, origin: int | str | None) -> int | str:
    """Return @value, which such as "+1" and "-2" counts from @origin."""
    is_relative = isinstance(value, str) and value[0] in "+-"
    return origin + int(value) if is_relative else value
