"""What the page shows beside the recordings, read from where the repository keeps it: the vectors,
the constants, the table of truth, the bug museum, the bench's figures, the sources."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import manuals  # noqa: E402
import recorded  # noqa: E402
import truth_page  # noqa: E402
from catalogue import found  # noqa: E402
from museum.bugs import TITLES, Bug, bugs  # noqa: E402
from paths.handlers import KIND_TITLES  # noqa: E402

Json = dict[str, Any]

# Name, field IST of the gates that lead there, its limits in kernel/cpu/layout.def, who takes it.
STACKS = (
    ("The kernel's stack", 0, "KERNEL_STACK", "Ring 0 stays on it; ring 3 comes by TSS.RSP0."),
    ("The double fault's", 1, "DF_STACK", "For the kernel's stack may be full, or RSP lost."),
    ("The machine check's", 2, "MC_STACK", "For it may come anywhere, at any time."),
)  # fmt: skip

PREFIXES = ("RFLAGS_", "PF_", "ERROR_", "CP_", "DR6_", "SELECTOR_")


def constants() -> Json:
    """The bits that the page takes apart, as decimal text, which JavaScript takes for any size."""
    return {k: str(v) for k, v in manuals.CONSTANTS.items() if k.startswith(PREFIXES)}


def vectors() -> Json:
    """The named vectors, and the stacks."""
    named = [
        {
            "number": v.number,
            "mnemonic": v.mnemonic,
            "title": v.name,
            "class": v.kind,
            "code": v.has_code,
            "ist": v.ist,
        }
        for v in manuals.VECTORS.values()
    ]
    stacks = [
        {
            "name": name,
            "ist": ist,
            "low": f"{manuals.CONSTANTS[f'{place}_LOW']:x}",
            "high": f"{manuals.CONSTANTS[f'{place}_HIGH']:x}",
            "how": how,
        }
        for name, ist, place, how in STACKS
    ]
    return {"vectors": named, "stacks": stacks}


def truth() -> Json:
    """The table of truth."""
    columns = recorded.columns()
    due = recorded.expectations()
    machines = [
        {
            "id": column.file.stem,
            "title": truth_page.title(column),
            "family": recorded.FAMILIES[column.family],
            "version": column.version,
            "versions": column.family in ("qemu-tcg", "bochs"),
        }
        for column in columns
    ]
    cases = [
        {
            "case": entry.name,
            "summary": entry.summary,
            "due": due.get(entry.name, "?"),
            "results": _results(columns, entry.name),
        }
        for entry in sorted(found(), key=lambda entry: entry.name)
    ]
    return {"machines": machines, "cases": cases}


def _results(columns: list[recorded.Column], case: str) -> Json:
    return {each.file.stem: each.results[case] for each in columns if case in each.results}


def museum() -> Json:
    """The bug museum."""
    shown = ("name", "mistake", "machine", "group", "duty", "diff")
    return {
        "groups": TITLES,
        "bugs": [{key: getattr(bug, key) for key in shown} for bug in bugs()],
    }


def cost(build: Path) -> Json | None:
    """What `make bench` has left, if it has been run."""
    report = build / "bench.json"
    if not report.exists():
        return None
    return json.loads(report.read_text()) | {"kinds": KIND_TITLES}


def sources(recordings: list[Json]) -> Json:
    """The text of each file that a recording names, and what the museum's patches make of it."""
    named = {code.get("file") for r in recordings for code in r.get("code", {}).values()}
    files = {name: _text(name) for name in sorted(filter(None, named)) if _text(name) is not None}
    played = {recording["name"] for recording in recordings}
    patched = {bug.name: _patched(bug) for bug in bugs() if bug.name in played}
    return {"files": files, "patched": patched}


def _text(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(errors="replace") if path.is_file() else None


def _patched(bug: Bug) -> Json:
    """The files that @bug changes, as it leaves them, with the numbers of the new lines."""
    names = [line[6:] for line in bug.diff.splitlines() if line.startswith("+++ b/")]
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            copy = Path(scratch, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text((ROOT / name).read_text())
        command = ["patch", "-p1", "-s", "-f", "-N", "--no-backup-if-mismatch", "-i", str(bug.path)]
        subprocess.run(command, cwd=scratch, check=True, capture_output=True)
        return {name: _marked(ROOT / name, Path(scratch, name)) for name in names}


def _marked(before: Path, after: Path) -> Json:
    """@after's text, and which of its lines are new, or stand where some of @before's are gone."""
    old, new = before.read_text().splitlines(), after.read_text().splitlines()
    lines: set[int] = set()
    for tag, _, _, start, end in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag in ("replace", "insert"):
            lines.update(range(start + 1, end + 1))
        elif tag == "delete":
            lines.add(min(start + 1, len(new)))
    return {"text": after.read_text(), "lines": sorted(lines)}
