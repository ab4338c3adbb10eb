"""Make the explorer's page: one HTML file with its style, its modules and all recordings in it."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer import modules, shelf, tables

if TYPE_CHECKING:
    from explorer.foreign import Kernel

Json = dict[str, Any]

PAGE = Path(__file__).parent / "page"
STYLES = ("tokens.css", "frame.css", "explore.css", "tabs.css", "print.css")


def chunk(name: str, data: Any) -> str:
    """@data as the page has it: JSON, gzip, base64. The same data always gives the same text."""
    text = json.dumps(data, separators=(",", ":"))
    packed = base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
    return f'<script type="application/gzip" id="chunk-{name}">{packed}</script>'


# Ours has all of them; that of another kernel has no table of truth and no museum.
TABS = ("trap", "truth", "bugs", "cost", "stacks", "vectors", "about")
FOREIGN_TABS = ("trap", "findings", "about")


def data(traces: Path, build: Path) -> list[str]:
    """All chunks of our kernel's page, that which is needed first in front."""
    recordings = list(shelf.read(traces))
    playable = [recording for recording in recordings if "problem" not in recording]
    extra = {
        "sources": tables.sources(playable),
        "vectors": tables.vectors(),
        "truth": tables.truth(),
        "bugs": tables.museum(),
    }
    if cost := tables.cost(build):
        extra["cost"] = cost
    return _chunks(recordings, {"tabs": TABS}, extra)


def foreign_data(kernel: Kernel) -> list[str]:
    """All chunks of the page of another kernel."""
    more = {"tabs": FOREIGN_TABS, "findings": kernel.findings}
    sources = {"files": kernel.sources, "patched": {}}
    return _chunks(kernel.recordings, more, {"sources": sources})


def _chunks(recordings: list[Json], more: Json, extra: dict[str, Json]) -> list[str]:
    rows, chunks = shelf.shelve(recordings)
    first = next((recording for recording in recordings if "problem" not in recording), {})
    index = {
        "recordings": rows,
        "constants": tables.constants(),
        "kernel": first.get("kernel", ""),
        "machine": first.get("machine", ""),
        **more,
    }
    return [chunk(name, each) for name, each in ({"index": index} | chunks | extra).items()]


def page(chunks: list[str]) -> str:
    """The whole page that has @chunks."""
    parts = {
        "/* page:style */": "\n".join((PAGE / name).read_text() for name in STYLES),
        "<!-- page:data -->": "\n".join(chunks),
        "/* page:modules */": modules.joined(PAGE / "main.js"),
    }
    text = (PAGE / "index.html").read_text()
    for mark, part in parts.items():
        before, _, after = text.partition(mark)
        text = before + part + after
    return text


def write(chunks: list[str], file: Path) -> int:
    """Write the page that has @chunks as @file; return its size in bytes."""
    text = page(chunks).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    return len(text)
