"""The recordings as the page has them: an index, and chunks of a few recordings each.

Recordings of a chunk share one table of instructions, `code`, and their steps name a row of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 24  # recordings: what is fetched when one of them is asked for
FORMAT = 1
INDEX = "index.json"  # in which the recorder says what it could not record, and why
LEFT_OUT = ("key",)  # by which the recorder knows what has changed
FIRST = "pf-write-readonly"  # alone in its chunk, for it is shown first

# What the list of traps needs to know; the rest of a recording is in its chunk.
INDEXED = (
    "name", "group", "summary", "vector", "mnemonic", "title", "class", "ring", "error", "stack",
    "expects", "healthy",
)  # fmt: skip
VECTORS = 256
GROUPS = ("fault", "bug", "compiler", "foreign")

Json = dict[str, Any]


def read(folder: Path) -> Iterator[Json]:
    """Yield the recordings of @folder, and for a file that is none a `problem` in words."""
    for file in sorted(folder.glob("*.json")):
        if file.name == INDEX:
            yield from _missing(file)
            continue
        try:
            recording = json.loads(file.read_text())
            if problem := _problem(recording):
                yield {"name": file.stem, "group": "fault", "problem": problem}
            else:
                yield recording
        except ValueError as error:
            problem = f"{file.name} is no JSON: {error}"
            yield {"name": file.stem, "group": "fault", "problem": problem}


def _missing(index: Path) -> Iterator[Json]:
    for row in json.loads(index.read_text())["missing"]:
        kept = {name: row[name] for name in ("name", "group", "summary")}
        yield kept | {"problem": row["why"]}


def _problem(recording: Any) -> str:
    """What is wrong with @recording as a whole, or ''."""
    if not isinstance(recording, dict) or not isinstance(recording.get("format"), int):
        return "it is no recording: it has no format"
    if recording["format"] > FORMAT:
        return f"it is of format {recording['format']}, and this page knows {FORMAT}"
    missing = {"name", "start", "code", "steps"} - recording.keys()
    return f"it has no {', '.join(sorted(missing))}" if missing else ""


def shelve(recordings: list[Json]) -> tuple[list[Json], dict[str, Json]]:
    """Return the index's rows and the chunks by name."""
    rows, chunks = [], {}
    playable = [recording for recording in recordings if "problem" not in recording]
    for name, members in _grouped(playable):
        chunks[name] = _chunk(members)
        for recording in members:
            row = {key: recording[key] for key in INDEXED if key in recording}
            rows.append(row | {"chunk": name, "length": len(recording["steps"])})
    rows += [recording for recording in recordings if "problem" in recording]
    rows.sort(key=_place)
    return rows, chunks


def _place(row: Json) -> tuple[int, int, str]:
    """Where @row stands in the list of traps."""
    group = GROUPS.index(row["group"]) if row["group"] in GROUPS else len(GROUPS)
    return group, row.get("vector", VECTORS), row["name"]


def _grouped(recordings: list[Json]) -> Iterator[tuple[str, list[Json]]]:
    """Neighbours of one kind share a chunk, for their steps are alike and compress well."""
    yield "first", [recording for recording in recordings if recording["name"] == FIRST]
    rest = [recording for recording in recordings if recording["name"] != FIRST]
    for group in dict.fromkeys(recording["group"] for recording in rest):
        members = [recording for recording in rest if recording["group"] == group]
        members.sort(key=lambda recording: (recording.get("vector", VECTORS), recording["name"]))
        for start in range(0, len(members), CHUNK):
            yield f"{group}-{start // CHUNK}", members[start : start + CHUNK]


def _chunk(recordings: list[Json]) -> Json:
    rows: dict[str, int] = {}
    packed = {recording["name"]: _packed(recording, rows) for recording in recordings}
    return {"code": [json.loads(row) for row in rows], "recordings": packed}


def _packed(recording: Json, rows: dict[str, int]) -> Json:
    """@recording with its instructions in @rows, and without what the index has."""

    def place(rip: str) -> int:
        code = {"rip": rip, **recording["code"].get(rip, {})}
        return rows.setdefault(json.dumps(code, sort_keys=True), len(rows))

    steps = []
    for step in recording["steps"]:
        rest = {key: value for key, value in step.items() if key != "rip" and value not in ({}, [])}
        if "rip" in step and "delivery" not in step and "skipped" not in step:
            rest["at"] = place(step["rip"])
        steps.append(rest)
    kept = {key: value for key, value in recording.items() if key not in (*INDEXED, *LEFT_OUT)}
    return kept | {"code": [place(rip) for rip in recording["code"]], "steps": steps}
