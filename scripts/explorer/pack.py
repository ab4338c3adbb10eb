"""Make the explorer's page: one HTML file with its style, its modules and all recordings in it."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from explorer import modules, shelf, tables

PAGE = Path(__file__).parent / "page"
STYLES = ("tokens.css", "frame.css", "explore.css", "tabs.css", "print.css")


def chunk(name: str, data: Any) -> str:
    """@data as the page has it: JSON, gzip, base64. The same data always gives the same text."""
    text = json.dumps(data, separators=(",", ":"))
    packed = base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
    return f'<script type="application/gzip" id="chunk-{name}">{packed}</script>'


def data(traces: Path, build: Path) -> list[str]:
    """All chunks, that which is needed first in front."""
    recordings = list(shelf.read(traces))
    rows, chunks = shelf.shelve(recordings)
    playable = [recording for recording in recordings if "problem" not in recording]
    index = {
        "recordings": rows,
        "constants": tables.constants(),
        "kernel": playable[0].get("kernel", "") if playable else "",
        "machine": playable[0].get("machine", "") if playable else "",
    }
    extra = {
        "sources": tables.sources(playable),
        "vectors": tables.vectors(),
        "truth": tables.truth(),
        "bugs": tables.museum(),
    }
    if cost := tables.cost(build):
        extra["cost"] = cost
    return [chunk(name, each) for name, each in ({"index": index} | chunks | extra).items()]


def page(traces: Path, build: Path) -> str:
    """The whole page."""
    parts = {
        "/* page:style */": "\n".join((PAGE / name).read_text() for name in STYLES),
        "<!-- page:data -->": "\n".join(data(traces, build)),
        "/* page:modules */": modules.joined(PAGE / "main.js"),
    }
    text = (PAGE / "index.html").read_text()
    for mark, part in parts.items():
        before, _, after = text.partition(mark)
        text = before + part + after
    return text


def write(traces: Path, build: Path, file: Path) -> int:
    """Write the page as @file; return its size in bytes."""
    text = page(traces, build).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    return len(text)
