"""What a project has decided to live with: rules and vectors, each with a reason.

A line of the file is `rule:vectors  reason`, where vectors are like `8`, `32-47,128`, `SYSCALL` or
`*`; or `unlinted:names  reason` for functions that need not be linted, where `*` stands for any
characters. `#` begins a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lint.architecture import ENTRIES
from lint.checks.coverage import Coverage, Function
from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.errors import CannotRun, near

LINE = re.compile(r"^([a-z0-9-]+):(\S+)\s+(\S.*)$")
UNLINTED = "unlinted"
ENTRY_NUMBERS = {name: number for number, name in ENTRIES.items()}


@dataclass
class Allowance:
    """One line of the file."""

    rule: str
    vectors: frozenset[int] | None  # None for all
    reason: str
    names: str = ""  # of functions, if it is about what is not linted

    def covers(self, finding: Finding) -> bool:
        """Whether @finding is allowed by this line."""
        return finding.rule == self.rule and (
            self.vectors is None or finding.vector in self.vectors
        )


def load(path: str) -> list[Allowance]:
    """Return the lines of the file at @path."""
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRun(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return [
        parse(text, f"{path}:{number}")
        for number, line in enumerate(lines, 1)
        if (text := line.split("#", 1)[0].strip())
    ]


def parse(text: str, where: str) -> Allowance:
    """Return the allowance that @text says; @where is for the error message."""
    match = LINE.match(text)
    if match is None:
        raise CannotRun(f"{where}: expected `rule:vectors  reason`, for example"
                        " `sse-unsaved:*  C is built with -mgeneral-regs-only`")  # fmt: skip
    rule, vectors, reason = match.groups()
    if rule == UNLINTED:
        return Allowance(rule, frozenset(), reason, vectors)
    if rule not in RULES:
        raise CannotRun(f"{where}: there is no rule {rule}{near(rule, RULES) or '; see --rules'}")
    return Allowance(rule, None if vectors == "*" else _numbers(vectors, where), reason)


def _numbers(text: str, where: str) -> frozenset[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        if part in ENTRY_NUMBERS:
            numbers.add(ENTRY_NUMBERS[part])
            continue
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise CannotRun(f"{where}: {text} is no list of vectors")
        first = int(match[1])
        last = int(match[2] or first)
        if last > 255:
            raise CannotRun(f"{where}: {last} is no vector: 0 to 255")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def split(
    findings: list[Finding], allowances: list[Allowance]
) -> tuple[list[Finding], list[tuple[Finding, str]]]:
    """Return the findings that count, and the allowed ones with their reasons."""
    counted, allowed = [], []
    for finding in findings:
        by = next((a for a in allowances if a.covers(finding)), None)
        if by is None:
            counted.append(finding)
        else:
            allowed.append((finding, by.reason))
    return counted, allowed


def leave_out(coverage: Coverage, allowances: list[Allowance]) -> None:
    """Give the functions of @coverage that need not be linted the reasons why. Those that make a
    frame of their own are left out as well."""
    for name in list(coverage.own_frames):
        if _reason(name, allowances):
            del coverage.own_frames[name]
            coverage.unlinted.append(Function(name, ""))
    for function in coverage.unlinted:
        function.reason = _reason(function.name, allowances)


def _reason(name: str, allowances: list[Allowance]) -> str | None:
    return next((a.reason for a in allowances if a.names and fnmatchcase(name, a.names)), None)
