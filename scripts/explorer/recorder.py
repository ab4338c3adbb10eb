"""Records entries of the catalogue: raises them on a machine, and makes recordings of its log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import catalogue
from catalogue import Entry
from emulator import qemu
from explorer import log, progress
from explorer.machine import Machine, Raised
from explorer.memory import Memory
from explorer.program import Program
from explorer.recording import Nothing, Source, make, runs
from explorer.replay import Disagreement
from version import version

ROOT = Path(__file__).parents[2]


@dataclass
class Result:
    """What came of an entry: a recording, or why there is none."""

    name: str
    recording: dict | None
    why: str = ""
    is_wrong: bool = False  # what was measured disagrees: a failure


def _raise_all(running: Machine, entries: list[Entry]) -> dict[str, Raised]:
    """Raise @entries one after the other; what ends the machine must be the last."""
    said = {}
    for entry in entries:
        progress.begin(entry.name)
        said[entry.name] = running.raise_fault(entry.name, has_ticks(entry))
        if said[entry.name].is_last:
            break
    return said


def _run(iso: Path, program: Program, entries: list[Entry], where: list[range]) -> list[Result]:
    """Record @entries on one machine that logs the ranges @where; on another one those behind one
    that has ended it."""
    with Machine(iso, program, where) as running:
        tables = running.tables()
        said = _raise_all(running, entries)
        source = source_of(running, program, tables, where)
    found = runs(source)
    results = []
    for entry in entries[: len(said)]:
        raised = said[entry.name]
        result = _result(source, entry, raised, found.get(code_of(program, entry), []))
        if raised.is_long and not result.recording and where != program.path:
            # It waits in a loop: once more, without its own instructions.
            results += _run(iso, program, [entry], program.path)
        else:
            results.append(result)
    rest = entries[len(said) :]
    return results + (_run(iso, program, rest, where) if rest else [])


def _result(source: Source, entry: Entry, raised: Raised, events: list[log.Event]) -> Result:
    try:
        recording = make(source, entry, raised, events)
    except Nothing as nothing:
        return Result(entry.name, None, str(nothing))
    except Disagreement as wrong:
        return Result(entry.name, None, str(wrong), is_wrong=True)
    return Result(entry.name, recording)


def source_of(running: Machine, program: Program, tables: Memory, where: list[range]) -> Source:
    """What the recordings of @running, which logs the ranges @where, have in common."""
    running.stop()
    logged = log.parse(running.log())
    title = f"QEMU {qemu.version()}, TCG"
    program.lines(sorted(logged.code))
    return Source(program, logged, tables, f"barestub {version()}", title, where)


def has_ticks(entry: Entry) -> bool:
    """Whether @entry is about the timer."""
    return "TIMER" in entry.text


def code_of(program: Program, entry: Entry) -> int:
    """Where the code of @entry lies."""
    return program.symbol(f"fault_{entry.name.replace('-', '_')}").address


def record(build: Path, names: list[str]) -> list[Result]:
    """Record the entries @names of the kernel in @build."""
    entries = {entry.name: entry for entry in catalogue.found()}
    program = Program(build / "barestub.elf", ROOT)
    chosen = [entries[name] for name in names]
    return _run(build / "barestub.iso", program, chosen, [*program.path, *program.programs])
