"""The report for people, and the explanation of every rule."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lint.architecture import ranges, vector_name
from lint.checks.coverage import Branch, Coverage, Function, Unrun
from lint.checks.finding import SEVERITIES, Group
from lint.checks.rules import RULES
from lint.engine.trace import Entry
from lint.load.mangling import readable
from lint.report.painter import Painter

WIDTH = 100
MOST_NAMED, MOST_LINES = 4, 8


@dataclass
class Summary:
    """What was linted."""

    name: str
    entries: list[Entry]
    runs: int
    seconds: float
    coverage: Coverage


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
    lines += ["", *_coverage(summary.coverage, painter), _verdict(groups, summary.coverage)]
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
    more = f"; and {len(group.also)} more like this" if group.also else ""
    yield from _field("seen", group.seen + (f", {group.when}" if group.when else "") + more)
    if group.leads_to:
        yield from _field("so also", ", ".join(group.leads_to))
    yield from _field("due", group.due)
    if first.pc is not None:
        where = [painter.place(pc) for pc in group.where[:4]]
        more = len(group.where) - len(where)
        yield from _field("at", ", ".join(where) + (f" and {more} more" if more else ""))
    if brief:
        yield from _field("fix", group.fix)
        return
    if first.trace is not None and first.vector is not None:
        yield ""
        yield f"    {vector_name(first.vector)}, {first.trace.variant}:"
    code, stack = painter.code(first), painter.stack(first)
    yield from (f"      {line}" for line in code)
    if stack:
        yield "    the stack there:"
        yield from (f"      {line}" for line in stack)
    yield ""
    yield from _field("symptom", rule.symptom)
    yield from _field("fix", group.fix)
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


def _coverage(coverage: Coverage, painter: Painter) -> Iterator[str]:
    """Yield what was linted and what was not."""
    both = coverage.branches - len(coverage.one_way) - sum(
        piece.behind is not None for piece in coverage.unrun
    )
    vectors = len(coverage.vectors)
    entries = [f"{vectors} vector{'' if vectors == 1 else 's'}"] if vectors else []
    entries += [vector_name(call) for call in coverage.calls]
    yield (
        f"linted: {' and '.join(entries)}, {coverage.ran} instructions,"
        f" {both} of {coverage.branches} branches both ways"
    )
    if coverage.external:
        yield from _wrapped(
            f"defined in none of these files, taken for 0: {_few(coverage.external)}"
        )
    if coverage.own_frames:
        yield from _wrapped(
            "linted as ways into ring 3, by the constants in the frame that they make themselves:"
            f" {_few(list(coverage.own_frames))}"
        )
    for words in coverage.assumed:
        yield from _wrapped(f"taken for granted: {words}")
    for reason in dict.fromkeys(f.reason for f in coverage.unlinted if f.reason is not None):
        names = [function.name for function in coverage.unlinted if function.reason == reason]
        yield from _wrapped(f"left out: {_few(names)}: {reason}")
    for words in coverage.unknown:
        yield from _wrapped(f"NOT known: {words}")
    yield from _first(coverage.unlinted_functions, _unlinted)
    yield from _first(coverage.unrun, lambda piece: _unrun(piece, painter))
    yield from _first(coverage.one_way, lambda branch: _one_way(branch, painter))


def _few(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _first(items: list, words: Callable[[object], str]) -> Iterator[str]:
    for item in items[:MOST_LINES]:
        yield from _wrapped(words(item))
    if len(items) > MOST_LINES:
        yield f"  ... and {len(items) - MOST_LINES} more like this (--json has them all)"


def _unlinted(function: Function) -> str:
    why = f" {function.why}" if function.why else ""
    return f"NOT linted: {function.name}, which also returns by {function.by}{why}: {function.flag}"


def _unrun(piece: Unrun, painter: Painter) -> str:
    count = f"{piece.count} instruction{'' if piece.count == 1 else 's'}"
    text = f"NEVER ran: {count} at {painter.place(piece.address)}"
    if piece.behind is not None:
        return f"{text}; {_one_way_words(piece.behind, painter)}"
    if piece.stopped_at is not None:
        return f"{text}; every run ends before it, at {painter.place(piece.stopped_at)}"
    return text


def _one_way(branch: Branch, painter: Painter) -> str:
    return f"ONE way: {_one_way_words(branch, painter)}"


def _one_way_words(branch: Branch, painter: Painter) -> str:
    return (
        f"`{branch.text}` at {painter.place(branch.address)} was"
        f" {'always' if branch.taken else 'never'} taken"
        + (f" after `{branch.after}`" if branch.after else "")
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False,
                         break_long_words=False)  # fmt: skip


def _verdict(groups: list[Group], coverage: Coverage) -> str:
    counted = [group for group in groups if group.reason is None]
    counts = Counter(group.severity for group in counted)
    if not any(counts[severity] for severity in SEVERITIES[:3]):
        notes = f" ({counts['INFO']} for information)" if counts["INFO"] else ""
        if coverage.complete:
            return f"clean: the stubs keep the contract{notes}"
        looked_at = coverage.ran, coverage.total
        return f"no finding in {looked_at[0]} of {looked_at[1]} instructions{notes}"
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
