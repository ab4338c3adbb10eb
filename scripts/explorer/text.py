"""A recording for terminals: 80 columns, a line for each step."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

COLUMNS = 80
INDENT = " " * 6
PLACE, TEXT = 24, 26  # columns of an instruction's place and words
UNSHOWN = ("rip", "rsp")  # they change with every step


def _clip(text: str, width: int) -> str:
    """@text in @width columns, of which its end counts more."""
    return text if len(text) <= width else "~" + text[len(text) - width + 1 :]


def _written(step: dict) -> list[str]:
    found = []
    for address, value, by, name in step.get("write", []):
        shown = "?" if value is None else value
        found.append(f"{name or '-'} = {shown}" + (f" by {by}" if by == "C" else ""))
        if by == "CPU" and name != "gap":
            found[-1] = f"[{address}] = {shown}"
    return found


def _changed(step: dict) -> list[str]:
    changed = step.get("set", {})
    return [f"{name} = {value}" for name, value in changed.items() if name not in UNSHOWN]


def _effect(step: dict) -> str:
    return ", ".join(_written(step) or _changed(step))


def _instruction(step: dict, code: dict) -> str:
    known = code.get(step["rip"], {})
    place = _clip(known.get("symbol") or step["rip"], PLACE)
    text = _clip(known.get("text") or "?", TEXT)
    return f"{place:<{PLACE}} {text:<{TEXT}} {_effect(step)}"


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text, COLUMNS - len(INDENT) - 2, break_on_hyphens=False)
    return [f"{INDENT}  {line}" for line in lines]


def _delivery(step: dict) -> Iterator[str]:
    head = f"{INDENT}CPU: {step['delivery']}"
    effect = _effect(step) if "write" in step else ""
    yield f"{head:<31}{effect}".rstrip()
    if "write" not in step or step["delivery"] == "alignment":
        yield from _wrapped(step["says"])
    if "reads" in step:
        yield from _wrapped(step["reads"])


def _hidden(step: dict) -> Iterator[str]:
    yield f"{INDENT}C: {step['says']}"
    for words in _written(step):
        yield from _wrapped(words)


def lines(recording: dict) -> Iterator[str]:
    """The text of @recording."""
    yield from textwrap.wrap(f"{recording['name']}: {recording['summary']}", COLUMNS)
    yield from textwrap.wrap(f"Due: {recording['expects']}", COLUMNS)
    yield f"{recording['machine']}; {recording['file']}:{recording['line']}"
    if "deviates" in recording:
        yield from textwrap.wrap(f"Not the architecture's: {recording['deviates']}", COLUMNS)
    yield ""
    for number, step in enumerate(recording["steps"]):
        if "stack" in step:
            yield f"{INDENT}-- on the stack {step['stack']} --"
        if "delivery" in step:
            yield from _delivery(step)
        elif "skipped" in step:
            yield from _hidden(step)
        else:
            yield f"{number:>4}  {_instruction(step, recording['code'])}"[:COLUMNS].rstrip()
    if recording.get("note"):
        yield ""
        yield from textwrap.wrap(recording["note"], COLUMNS)
