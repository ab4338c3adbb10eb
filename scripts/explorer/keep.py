"""The directory of recordings, build/explorer/traces/: records what has changed, keeps what is still
good."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path

import catalogue
from catalogue import Entry
from emulator import qemu
from explorer import broken, compilers, recorder, text
from explorer.program import Program
from explorer.progress import Progress
from explorer.recorder import ROOT, Result
from museum.bugs import bugs

ROOMS = ("explorer", "paths", "elf", "emulator", "museum")  # of scripts/
SUPPORT = ("catalogue", "deviations", "gdbstub", "intlog", "trapline", "witness", "words")
JOBS = 2
SHARD = 40  # entries: what one machine raises
INDEX = "index.json"
STUBS = ("asm/stubs.asm.o", "asm/entry.asm.o")  # in the build directory


@cache
def _recorder() -> bytes:
    """What recordings depend on beside the kernel: the recorder itself, and QEMU."""
    files = [file for room in ROOMS for file in sorted((ROOT / "scripts" / room).glob("*.py"))]
    files += [ROOT / "scripts/manuals.py", ROOT / "tests/emulators.toml"]
    files += [ROOT / f"tests/support/{name}.py" for name in SUPPORT]
    return b"".join(file.read_bytes() for file in files) + qemu.version().encode()


def key(program: Program, name: str) -> str:
    """What the recording @name, of an entry or a bug, depends on, in one word."""
    patches = [bug.path.read_bytes() for bug in bugs() if bug.name == name]
    parts = [program.image, _recorder(), name.encode(), *patches]
    return hashlib.sha256(b"".join(parts)).hexdigest()


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
        """Record the entries and bugs @names that have changed; return what came of these."""
        entries = sorted(catalogue.found(), key=_order)
        due = [e.name for e in entries if e.name in names and not self.is_good(e.name)]
        shards = [due[start : start + SHARD] for start in range(0, len(due), SHARD)]
        mistakes = [b for b in bugs() if b.name in names and not self.is_good(b.name)]
        results = []
        progress = Progress(len(due) + len(mistakes))
        with ProcessPoolExecutor(JOBS, initializer=progress.join) as pool:
            parts = [pool.submit(recorder.record, self.build, shard) for shard in shards]
            parts += [pool.submit(broken.record, mistake) for mistake in mistakes]
            for part in as_completed(parts):
                results += self._kept(part.result())
        progress.end()
        return results

    def _kept(self, results: list[Result]) -> list[Result]:
        """Keep @results at once: the next ones may take long."""
        for result in results:
            self._keep(result)
        self._write_index(results)
        return results

    def record_compilers(self) -> list[Result]:
        """Record the compilers' paths beside ours, which takes no machine."""
        results = compilers.record(self.build, [str(self.build / name) for name in STUBS])
        return self._kept(results)

    def _keep(self, result: Result) -> None:
        file = self.file(result.name)
        if result.recording is None:
            for old in (file, file.with_suffix(".txt")):
                old.unlink(missing_ok=True)
            return
        result.recording["key"] = key(self._program, result.name)
        file.write_text(json.dumps(result.recording, separators=(",", ":")) + "\n")
        words = "\n".join(text.lines(result.recording))
        file.with_suffix(".txt").write_text(words + "\n")

    def _write_index(self, results: list[Result]) -> None:
        summaries = {entry.name: entry.summary for entry in catalogue.found()}
        mistakes = {bug.name: bug.mistake for bug in bugs()}
        new = {result.name for result in results}
        missing = [row for row in self._index()["missing"] if row["name"] not in new]
        missing += [
            {
                "name": result.name,
                "group": "bug" if result.name in mistakes else "fault",
                "summary": (summaries | mistakes)[result.name],
                "why": result.why,
                "key": key(self._program, result.name),
            }
            for result in results
            if result.recording is None
        ]
        names = sorted(file.stem for file in self.path.glob("*.json") if file.name != INDEX)
        index = {"format": 1, "recorded": names, "missing": missing}
        (self.path / INDEX).write_text(json.dumps(index, indent=1) + "\n")
