"""Records entries of the catalogue and keeps what is still good: build/explorer/traces/."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import catalogue
from catalogue import Entry
from explorer import log, machine, text
from explorer.machine import Ended, Machine, Raised
from explorer.memory import Memory
from explorer.program import Program
from explorer.recording import Nothing, Source, make, runs
from explorer.replay import Disagreement
from version import version

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SUPPORT = ("catalogue", "intlog", "trapline", "witness", "words")
JOBS = 2
INDEX = "index.json"


@dataclass
class Result:
    """What came of an entry: a recording, or why there is none."""

    name: str
    recording: dict | None
    why: str = ""
    is_wrong: bool = False  # what was measured disagrees: a failure


@cache
def _recorder() -> bytes:
    """What recordings depend on beside the kernel: the recorder itself, and QEMU."""
    files = [*sorted(HERE.glob("*.py")), *(ROOT / f"tests/support/{name}.py" for name in SUPPORT)]
    return b"".join(file.read_bytes() for file in files) + machine.version().encode()


def key(program: Program, name: str) -> str:
    """What a recording of the entry @name depends on, in one word."""
    return hashlib.sha256(program.image + _recorder() + name.encode()).hexdigest()


def _raise_all(running: Machine, entries: list[Entry]) -> dict[str, Raised]:
    """Raise @entries one after the other; what ends the machine must be the last."""
    said = {}
    for entry in entries:
        try:
            said[entry.name] = running.raise_fault(entry.name)
        except Ended as ended:
            said[entry.name] = Raised(entry.name, str(ended), has_ended=True)
            break
    return said


def _run(iso: Path, program: Program, entries: list[Entry], where: list[range]) -> list[Result]:
    """Record @entries on one machine that logs the ranges @where; on another one those behind one
    that has ended it."""
    with Machine(iso, where) as running:
        tables = running.tables()
        said = _raise_all(running, entries)
        source = source_of(running, program, tables, where)
    found = runs(source)
    results = []
    for entry in entries[: len(said)]:
        raised = said[entry.name]
        if raised.is_long and where != program.path:
            # It waits in a loop, and its own instructions are left out.
            results += _run(iso, program, [entry], program.path)
            continue
        results.append(_result(source, entry, raised, found.get(code_of(program, entry), [])))
    rest = entries[len(said) :]
    return results + (_run(iso, program, rest, where) if rest else [])


def _result(source: Source, entry: Entry, raised: Raised, events: list[log.Event]) -> Result:
    try:
        recording = make(source, entry, raised, events)
    except Nothing as nothing:
        return Result(entry.name, None, str(nothing))
    except Disagreement as wrong:
        return Result(entry.name, None, str(wrong), is_wrong=True)
    recording["key"] = key(source.program, entry.name)
    return Result(entry.name, recording)


def source_of(running: Machine, program: Program, tables: Memory, where: list[range]) -> Source:
    """What the recordings of @running, which logs the ranges @where, have in common."""
    running.stop()
    logged = log.parse(running.log())
    title = f"QEMU {machine.version()}, TCG"
    program.lines(sorted(logged.code))
    return Source(program, logged, tables, f"barestub {version()}", title, where)


def code_of(program: Program, entry: Entry) -> int:
    """Where the code of @entry lies."""
    return program.symbol(f"fault_{entry.name.replace('-', '_')}").address


def _shard(build: Path, names: list[str]) -> list[Result]:
    entries = {entry.name: entry for entry in catalogue.found()}
    program = Program(build / "barestub.elf", ROOT)
    chosen = [entries[name] for name in names]
    return _run(build / "barestub.iso", program, chosen, [*program.path, *program.programs])


def _order(entry: Entry) -> bool:
    """Those that end the machine come last."""
    return catalogue.is_fatal(entry.name)


class Shelf:
    """The directory of recordings."""

    def __init__(self, build: Path, path: Path | None = None) -> None:
        """The recordings of the kernel in @build, which are in @path."""
        self.build = build
        self.path = path or build / "explorer" / "traces"
        self.path.mkdir(parents=True, exist_ok=True)
        self._program = Program(build / "barestub.elf", ROOT)

    def file(self, name: str) -> Path:
        return self.path / f"{name}.json"

    def load(self, name: str) -> dict:
        """Return the recording of @name."""
        return json.loads(self.file(name).read_text())

    def _index(self) -> dict:
        file = self.path / INDEX
        return json.loads(file.read_text()) if file.exists() else {"missing": []}

    def is_good(self, name: str) -> bool:
        """Whether the recording of @name, or the reason why there is none, is still good."""
        file = self.file(name)
        if file.exists():
            return self.load(name).get("key") == key(self._program, name)
        found = [row for row in self._index()["missing"] if row["name"] == name]
        return bool(found) and found[0].get("key") == key(self._program, name)

    def record(self, names: list[str]) -> list[Result]:
        """Record the entries @names that have changed; return what came of these."""
        entries = [entry for entry in catalogue.found() if entry.name in names]
        due = [entry.name for entry in sorted(entries, key=_order) if not self.is_good(entry.name)]
        shards = [due[number::JOBS] for number in range(JOBS) if due[number::JOBS]]
        results = []
        with ProcessPoolExecutor(JOBS) as pool:
            for found in pool.map(_shard, [self.build] * len(shards), shards):
                results += found
        for result in results:
            self._keep(result)
        self._write_index(results)
        return results

    def _keep(self, result: Result) -> None:
        file = self.file(result.name)
        if result.recording is None:
            for old in (file, file.with_suffix(".txt")):
                old.unlink(missing_ok=True)
            return
        file.write_text(json.dumps(result.recording, separators=(",", ":")) + "\n")
        words = "\n".join(text.lines(result.recording))
        file.with_suffix(".txt").write_text(words + "\n")

    def _write_index(self, results: list[Result]) -> None:
        entries = {entry.name: entry for entry in catalogue.found()}
        new = {result.name for result in results}
        missing = [row for row in self._index()["missing"] if row["name"] not in new]
        missing += [
            {
                "name": result.name,
                "group": "fault",
                "summary": entries[result.name].summary,
                "why": result.why,
                "key": key(self._program, result.name),
            }
            for result in results
            if result.recording is None
        ]
        names = sorted(file.stem for file in self.path.glob("*.json") if file.name != INDEX)
        index = {"format": 1, "recorded": names, "missing": missing}
        (self.path / INDEX).write_text(json.dumps(index, indent=1) + "\n")
