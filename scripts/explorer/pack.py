"""Make the explorer's page: one HTML file with its style, its modules and all recordings in it.

Usage: pack.py TRACES BUILD PAGE
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from explorer import modules, shelf, tables  # noqa: E402

PAGE = HERE / "page"
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path, help="the folder of the recordings")
    parser.add_argument("build", type=Path, help="the build folder, for what else it has")
    parser.add_argument("page", type=Path, help="the page to write")
    arguments = parser.parse_args()
    text = page(arguments.traces, arguments.build)
    arguments.page.parent.mkdir(parents=True, exist_ok=True)
    arguments.page.write_text(text)
    print(f"{arguments.page}: {len(text.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
