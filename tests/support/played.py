"""What the explorer's page must show of a recording at each step, worked out from the JSON alone;
and what it does show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]

CHUNK = 200  # steps that are read at once

# Goes on by the arrow key and reads the page before each step: [registers, slots, the address that
# RSP is marked at, the step's words, file and line, the line's text]. The page is hidden meanwhile:
# to lay it out takes ten times as long as all else, and only text is read.
READ = """
const text = (element) => element?.textContent ?? null;
const read = () => {
    const registers = {};
    for (const row of document.querySelectorAll('.register:not([hidden])')) {
        const cell = row.querySelector('dd');
        const value = cell.querySelector('.bits') ?? cell.firstChild;
        registers[text(row.querySelector('dt'))] = text(value);
    }
    const slots = {};
    for (const row of document.querySelectorAll('.slot:not(.empty)'))
        slots[text(row.querySelector('.address'))] = [
            text(row.querySelector('.value')), text(row.querySelector('.name')), row.dataset.who];
    const others = ['.at-rsp .address', '.instruction', '.source .where', '.lines .current'];
    return [registers, slots, ...others.map((selector) => text(document.querySelector(selector)))];
};
const states = [];
document.body.style.display = 'none';
for (let k = 0; k < arguments[0]; k++) {
    states.push(read());
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
}
document.body.style.display = '';
return states;
"""


def shown(run: Callable[[str, int], list], recording: Json) -> Iterator[list]:
    """Yield what the page shows before each step of @recording and behind the last. It is there, at
    its first; @run runs a script in it."""
    count = len(recording["steps"]) + 1
    for start in range(0, count, CHUNK):
        yield from run(READ, min(CHUNK, count - start))


def states(recording: Json) -> Iterator[tuple[dict[str, str], dict[str, list[str]]]]:
    """Yield registers and slots before each step, and behind the last, as the page writes them."""
    registers = dict(recording["start"]["registers"])
    slots = {row[0]: row[1:] for row in recording["start"]["window"]}
    for step in [*recording["steps"], {}]:
        shown = registers | ({"rip": step["rip"]} if _is_instruction(step) else {})
        yield _registers(shown), _slots(slots)
        registers.update(step.get("set", {}))
        for address, value, who, name in step.get("write", []):
            before = slots.get(address, ["", "", ""])
            slots[address] = [value, who, name or (before[2] if len(before) > 2 else "")]


def places(recording: Json) -> set[str]:
    """The addresses that have a row: those of all slots that are ever written."""
    rows = [*recording["start"]["window"]]
    rows += [write for step in recording["steps"] for write in step.get("write", [])]
    return {row[0].zfill(16) for row in rows}


def _is_instruction(step: Json) -> bool:
    return "rip" in step and "delivery" not in step and "skipped" not in step


def _registers(registers: dict[str, str]) -> dict[str, str]:
    selectors = ("cs", "ss", "ds", "es", "fs", "gs")
    return {n: value.zfill(4 if n in selectors else 16) for n, value in registers.items()}


def _value(value: str | None) -> str:
    """The CPU does not say what is in the gap."""
    return "not known" if value is None else value.zfill(16)


def _slots(slots: dict[str, list[str]]) -> dict[str, list[str]]:
    return {
        address.zfill(16): [_value(value), rest[0] if rest else "", who]
        for address, (value, who, *rest) in slots.items()
    }


def instruction(recording: Json, number: int) -> str:
    """The words that the page has for step @number."""
    if number == len(recording["steps"]):
        return "The recording ends here"
    step = recording["steps"][number]
    if "delivery" in step:
        return step["delivery"]
    if "skipped" in step:
        return "C runs"
    return recording["code"][step["rip"]]["text"]
