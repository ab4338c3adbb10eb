"""One finding for one cause: the same mistake seen in several places is one group, and what merely
follows from a mistake is named under it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from lint.checks.finding import SEVERITIES, Finding, Group

# Rules that are broken once for the whole kernel, wherever that is seen.
ONE_MISTAKE = ("stack-misaligned", "df-set", "ac-set", "struct-field", "no-code-frame",
               "syscall-interruptible", "syscall-scratch-shared")  # fmt: skip

# What follows from a frame of another size: whatever reads it.
SHIFTED = ("frame-shifted", "struct-field", "vector-wrong", "code-wrong", "stack-misaligned",
           "swapgs-missing", "swapgs-from-ring-0", "swapgs-unbalanced", "register-lost",
           "registers-swapped", "wild-access", "execution-lost", "invalid-instruction",
           "return-off-frame", "frame-overwritten", "frame-rewritten")  # fmt: skip

# Each rule with those that are broken in consequence, for the same vectors.
CONSEQUENCES = {
    "dummy-code-missing": SHIFTED,
    "dummy-code-extra": SHIFTED,
    "frame-shifted": SHIFTED[1:],
    "code-not-dropped": ("register-lost", "registers-swapped"),
    "code-dropped-twice": ("register-lost", "registers-swapped"),
    "return-off-frame": ("register-lost", "registers-swapped", "swapgs-unbalanced"),
    "swapgs-missing": ("gs-user-access", "swapgs-unbalanced"),
    "swapgs-from-ring-0": ("gs-user-access", "swapgs-unbalanced"),
    "early-sti": ("swapgs-interruptible",),
    "stack-misaligned": ("operand-misaligned",),
    "sfmask-flags": ("syscall-interruptible", "swapgs-interruptible", "df-set", "ac-set", "nt-set"),
    "syscall-interruptible": ("swapgs-interruptible",),
    "syscall-fault-window": ("wild-access", "exception-in-stub"),
    "syscall-user-stack": ("syscall-rsp-lost", "syscall-register-lost", "syscall-rip-lost",
                           "syscall-rflags-lost", "syscall-interruptible", "syscall-leak",
                           "stack-misaligned", "return-off-frame", "register-lost"),
    "gs-user-access": ("syscall-leak",),
}

# What a wrong slot happens to hold says nothing of the cause.
WHAT_CAME = re.compile(r" <- [^,;]+|: it takes .* for rip")


def groups_of(findings: list[Finding]) -> list[Group]:
    """Return @findings by their causes, the worst first."""
    groups: list[Group] = []
    for group in _alike(findings):
        same = next((other for other in groups if _same_cause(other, group)), None)
        if same is None:
            groups.append(group)
        else:
            same.take(group)
    order = {severity: index for index, severity in enumerate(SEVERITIES)}
    return sorted(groups, key=lambda g: (order[g.severity], (g.vectors or [-1])[0], g.rule))


def _alike(findings: Iterable[Finding]) -> list[Group]:
    """Return @findings with those of the same words put together, the worst first."""
    groups: dict[tuple[str, str, str], Group] = {}
    for finding in findings:
        key = (finding.rule, finding.severity, finding.seen)
        if key not in groups:
            groups[key] = Group(finding.rule, finding.severity, finding.seen, finding.due)
        groups[key].findings.append(finding)
    return sorted(groups.values(), key=lambda g: SEVERITIES.index(g.severity))


def _same_cause(one: Group, other: Group) -> bool:
    """Whether both are the same rule broken by the same instruction of a stub, or a rule that is
    broken by one mistake for many."""
    if one.rule != other.rule or (one.severity == "INFO") != (other.severity == "INFO"):
        return False
    if one.rule in ONE_MISTAKE:
        return True
    if WHAT_CAME.sub("", one.seen) == WHAT_CAME.sub("", other.seen):
        return True  # in stubs that are complete in themselves, as one macro makes them
    in_stubs = one.first.trace is not None and other.first.trace is not None
    return in_stubs and not set(one.where).isdisjoint(other.where)


def without_consequences(findings: list[Finding]) -> list[Finding]:
    """Return @findings without those that follow from another one of the same vector."""
    of_vector: dict[int | None, dict[str, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in findings:
        of_vector[finding.vector][finding.rule].append(finding)
    folded: set[int] = set()
    for rules in of_vector.values():
        for cause, consequences in CONSEQUENCES.items():
            if cause not in rules or id(rules[cause][0]) in folded:
                continue
            for rule in consequences:
                for finding in rules.get(rule, ()):
                    folded.add(id(finding))
                    for first in rules[cause]:
                        first.fold(finding)
    return [finding for finding in findings if id(finding) not in folded]
