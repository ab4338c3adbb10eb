"""tests/emulators.toml: what an emulator is known to do otherwise than the architecture says.

On the versions that were measured it must do exactly that; if it agrees with the architecture
there, the table is out of date and the test fails. On other versions either is right, and the
difference is reported.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from trapline import Fields

TABLE = Path(__file__).parents[1] / "emulators.toml"

# What an `expect:` line says beside the trap itself.
NOT_COMPARED = {"name", "ring"}

# Bits of the saved RFLAGS that must be 1, and that must be 0.
RFLAGS_BITS = {"rflags_set", "rflags_clear"}

# The bits of DR6 that tell a cause: B0 to B3, BD, BS, BT. SDM vol. 3, 17.2.3.
DR6_CAUSES = 0xE00F


@dataclass
class Deviation:
    """One entry of the table."""

    emulator: str
    versions: list[str]
    case: str
    reason: str
    instead: list[Fields] = field(default_factory=list)  # one for each trap that comes
    unsafe: bool = False  # not run there

    def is_measured(self, version: str) -> bool:
        """Whether @version, such as "7.2.22", is one of ours, such as "7.2"."""
        return any(f"{version}.".startswith(f"{measured}.") for measured in self.versions)


def load(text: str | None = None) -> list[Deviation]:
    """Return the entries of the table, or of @text."""
    entries = tomllib.loads(TABLE.read_text() if text is None else text).get("deviation", [])
    unclear = [entry["case"] for entry in entries if ("instead" in entry) == ("unsafe" in entry)]
    assert not unclear, f"either `instead` or `unsafe`: {unclear}"
    return [Deviation(**entry) for entry in entries]


def cpus(emulator: str) -> dict[str, list[str]]:
    """Return the CPU models of @emulator, each with the features that it has not got."""
    models = tomllib.loads(TABLE.read_text())["emulator"][emulator]["cpu"]
    return {cpu["model"]: cpu["lacks"] for cpu in models}


def find(deviations: list[Deviation], emulator: str, case: str) -> Deviation | None:
    """Return the entry for @case on @emulator, if it has one."""
    for deviation in deviations:
        if (deviation.emulator, deviation.case) == (emulator, case):
            return deviation
    return None


def differences(expected: list[Fields], seen: list[Fields]) -> list[str]:
    """Say where @seen is not @expected, trap by trap. Only the fields of @expected count."""
    found = []
    if len(expected) != len(seen):
        found.append(f"{len(seen)} traps came, not {len(expected)}")
    for number, (want, got) in enumerate(zip(expected, seen), 1):
        for name in want.keys() - NOT_COMPARED:
            value = _value(name, got)
            if name in RFLAGS_BITS:
                value &= want[name]
            if value != want[name] and want[name] != "any":
                found.append(f"trap {number}: {name} is {_show(value)}, not {_show(want[name])}")
    return found


def _value(name: str, got: Fields) -> int | str | None:
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


def judge(
    expected: list[Fields], seen: list[Fields], deviation: Deviation | None, version: str
) -> tuple[list[str], str]:
    """Hold @seen against the architecture, or against @deviation. Return what is wrong, and what
    should be reported although nothing is wrong."""
    from_architecture = differences(expected, seen)
    if deviation is None:
        return from_architecture, ""
    from_deviation = differences(_merge(expected, deviation.instead), seen)
    if deviation.is_measured(version):
        if not from_architecture:
            return [f"{version} agrees with the architecture: remove it from {TABLE.name}"], ""
        return from_deviation, ""
    if not from_architecture:
        return [], f"{version} agrees with the architecture, unlike {deviation.versions}"
    return from_deviation, f"{version} deviates as {deviation.versions}: {deviation.reason}"


def _merge(expected: list[Fields], instead: list[Fields]) -> list[Fields]:
    """What comes instead, with the architecture's values where the entry names none."""
    padded = expected + [{}] * len(instead)
    return [{**want, **other} for want, other in zip(padded, instead)]
