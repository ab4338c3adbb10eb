"""The lines that `raise` prints for programs: `expect:`, `trap:` and `result:`; from the program of
tests/silicon/ also what an entry says of the CPU itself: `deviates:` and `override:`."""

from __future__ import annotations

from dataclasses import dataclass, field

# How the result begins where the CPU lacks a feature, whose name follows, and where the emulator
# would not survive it.
MISSING = "skip this CPU has no "
UNSAFE = "skip unsafe: "

# The result where the CPU, as it may, refuses to do it.
REFUSED = "skip this CPU refuses it"

# The vector by which ring 3 gives the CPU back when an entry is over: kernel/trap/vectors.def.
USER_CALL = 128

# A value is a number, or a word such as "none" or "cpu".
Fields = dict[str, "int | str"]


@dataclass
class Instead:
    """What an entry's own file says that comes in the architecture's place."""

    reason: str
    traps: list[Fields]  # with what differs


@dataclass
class Raised:
    """What one `raise` has said."""

    expected: list[Fields] = field(default_factory=list)
    traps: list[Fields] = field(default_factory=list)
    result: str = ""  # "pass", or a word and a reason
    deviations: list[Instead] = field(default_factory=list)

    @property
    def missing_feature(self) -> str:
        """The feature for lack of which the entry was not run, or ''."""
        return self.result.removeprefix(MISSING) if self.result.startswith(MISSING) else ""

    @property
    def danger(self) -> str:
        """Why the entry was not run although the CPU has what it needs, or ''."""
        return self.result.removeprefix(UNSAFE) if self.result.startswith(UNSAFE) else ""

    @property
    def is_refused(self) -> bool:
        """Whether the CPU has refused to do it."""
        return self.result == REFUSED


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
        elif kind == "deviates":
            count, _, reason = rest.removeprefix("traps=").partition(" reason=")
            raised.deviations.append(Instead(reason, [{} for _ in range(int(count))]))
        elif kind == "override":
            override = _fields(rest)
            raised.deviations[-1].traps[override.pop("trap")].update(override)
        elif kind == "result":
            raised.result = rest.split(maxsplit=1)[1]
    return raised


def came_in_order(expected: list[Fields], delivered: list[tuple[int, bool]]) -> bool:
    """Whether all that is @expected is found in a log, in order. @delivered holds the vectors, and
    whether it was an interrupt."""
    rest = iter(delivered)
    return all(
        any(
            vector == trap["vector"] and (is_irq or "interrupted" not in trap)
            for vector, is_irq in rest
        )
        for trap in expected
    )


def is_injected(trap: Fields) -> bool:
    """Whether SVM was to inject the event: tests/faults/inject.asm."""
    return trap["name"].startswith("inject-")


def too_wide(text: str) -> list[str]:
    """Return the lines of the monitor's answer that are for people and over 80 columns."""
    kinds = ("expect: ", "trap: ", "result: ")
    return [line for line in text.splitlines() if len(line) > 80 and not line.startswith(kinds)]
