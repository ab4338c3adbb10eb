"""The report for people, and the explanation of every rule."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lint.architecture import ranges, vector_name
from lint.checks.finding import SEVERITIES, Group
from lint.checks.rules import RULES
from lint.engine.trace import Entry
from lint.load.mangling import readable
from lint.report.picture import Painter

WIDTH = 100


@dataclass
class Summary:
    """What was linted."""

    name: str
    entries: list[Entry]
    runs: int
    seconds: float


def text(summary: Summary, groups: list[Group], painter: Painter, brief: bool) -> str:
    """Return the whole report."""
    lines = [*_header(summary)]
    for group in groups:
        if group.reason is None:
            lines += ["", *_group(group, painter, brief)]
    allowed = [group for group in groups if group.reason is not None]
    if allowed:
        lines += ["", "allowed:"]
        lines += [f"  {g.rule}  {g.title()}: {g.reason}" for g in allowed]
    lines += ["", _verdict(groups)]
    return "\n".join(lines)


def _header(summary: Summary) -> Iterator[str]:
    vectors = [entry.vector for entry in summary.entries if entry.known]
    unknown = [entry for entry in summary.entries if not entry.known]
    yield f"stublint: {summary.name}"
    if vectors:
        yield (
            f"{len(vectors)} stub{'s' if len(vectors) > 1 else ''} of vectors {ranges(vectors)},"
            f" {summary.runs} runs in {summary.seconds:.1f} s"
        )
    if unknown:
        names = ", ".join(readable(entry.name) for entry in unknown[:4]) + (
            ", ..." if len(unknown) > 4 else ""
        )
        yield f"{len(unknown)} handlers of unknown vectors, taken for 32 and up: {names}"


def _group(group: Group, painter: Painter, brief: bool) -> Iterator[str]:
    rule, first = RULES[group.rule], group.first
    yield f"{group.severity} {group.rule}  {group.title()}"
    yield from _field("seen", group.seen + (f", {group.when}" if group.when else ""))
    yield from _field("due", group.due)
    if first.pc is not None:
        where = [painter.place(pc) for pc in group.where[:4]]
        more = len(group.where) - len(where)
        yield from _field("at", ", ".join(where) + (f" and {more} more" if more else ""))
    if brief:
        yield from _field("fix", rule.fix)
        return
    if first.trace is not None and first.vector is not None:
        yield ""
        yield f"    vector {vector_name(first.vector)}, {first.trace.variant}:"
    code, stack = painter.code(first), painter.stack(first)
    yield from (f"      {line}" for line in code)
    if stack:
        yield "    the stack there:"
        yield from (f"      {line}" for line in stack)
    yield ""
    yield from _field("symptom", rule.symptom)
    yield from _field("fix", rule.fix)
    yield from _field("manual", rule.manual)


def _field(name: str, content: str) -> list[str]:
    return textwrap.wrap(
        content,
        WIDTH,
        initial_indent=f"  {name:<8} ",
        subsequent_indent=" " * 11,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _verdict(groups: list[Group]) -> str:
    counted = [group for group in groups if group.reason is None]
    counts = Counter(group.severity for group in counted)
    if not any(counts[severity] for severity in SEVERITIES[:3]):
        notes = f" ({counts['INFO']} for information)" if counts["INFO"] else ""
        return f"clean: the stubs keep the contract{notes}"
    return "found: " + ", ".join(f"{counts[s]} {s}" for s in SEVERITIES if counts[s])


def rules() -> str:
    """Return the explanation of every rule."""
    lines = []
    for rule in RULES.values():
        lines += [f"{rule.name}  ({rule.severity})"]
        for name in ("duty", "symptom", "fix", "manual"):
            lines += _field(name, getattr(rule, name))
        lines.append("")
    lines.append(
        "ERROR: wrong whenever it happens. ABI: breaks the promise to C; wrong when the compiler"
        " relies\non it. LATENT: right today, or wrong in a rare case. INFO: no finding; does not"
        " change the status."
    )
    return "\n".join(lines)
