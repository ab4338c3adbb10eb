"""The lines that `raise` prints for programs: `expect:`, `trap:` and `result:`."""

from __future__ import annotations

from dataclasses import dataclass, field

# How the result begins where the CPU lacks a feature, whose name follows, and where the emulator
# would not survive it.
MISSING = "skip this CPU has no "
UNSAFE = "skip unsafe: "

# The result where the CPU, as it may, refuses to do it.
REFUSED = "skip this CPU refuses it"

# A value is a number, or a word such as "none" or "cpu".
Fields = dict[str, "int | str"]


@dataclass
class Raised:
    """What one `raise` has said."""

    expected: list[Fields] = field(default_factory=list)
    traps: list[Fields] = field(default_factory=list)
    result: str = ""  # "pass", or a word and a reason

    @property
    def missing_feature(self) -> str:
        """The feature for lack of which the entry was not run, or ''."""
        return self.result.removeprefix(MISSING) if self.result.startswith(MISSING) else ""

    @property
    def danger(self) -> str:
        """Why the entry was not run although the CPU has what it needs, or ''."""
        return self.result.removeprefix(UNSAFE) if self.result.startswith(UNSAFE) else ""

    @property
    def refused(self) -> str:
        """That the CPU has refused it, or ''."""
        return self.result.removeprefix("skip ") if self.result == REFUSED else ""


def _value(text: str) -> int | str:
    try:
        return int(text, 0)
    except ValueError:
        return text


def _fields(text: str) -> Fields:
    pairs = (word.partition("=") for word in text.split())
    return {name: _value(value) for name, _, value in pairs}


def parse(text: str) -> Raised:
    """Pick the machine lines out of the monitor's answer."""
    raised = Raised()
    for line in text.splitlines():
        kind, _, rest = line.partition(": ")
        if kind == "expect":
            raised.expected.append(_fields(rest))
        elif kind == "trap":
            raised.traps.append(_fields(rest))
        elif kind == "result":
            raised.result = rest.split(maxsplit=1)[1]
    return raised


def for_people(text: str) -> list[str]:
    """Return the lines of the monitor's answer that are no machine lines."""
    kinds = ("expect: ", "trap: ", "result: ")
    return [line for line in text.splitlines() if not line.startswith(kinds)]
