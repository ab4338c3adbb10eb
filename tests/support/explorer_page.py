"""The fixtures of tests/explorer/: a page of a dozen recordings, and a browser that looks at it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from explorer import shelf

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))

Json = dict[str, Any]

# Chromium brings Deque's accessibility checks, axe-core, as a string in its own audits.
LIGHTHOUSE = "devtools://devtools/bundled/third_party/lighthouse/lighthouse-dt-bundle.js"
AXE = r"""
const literal = /`\/\*! axe v(?:[^\\`]|\\.)*`/s;
return text.match(literal)?.[0];
"""

# The page has few colours, which axe would read out of their names at each element anew.
AXE_COLOURS = """
const { prototype } = axe.commons.color.Color, read = prototype.parseString, known = new Map();
prototype.parseString = function (name) {
    if (!known.has(name)) {
        const { r, g, b, alpha } = read.call(this, name);
        known.set(name, { r, g, b, alpha });
    }
    return Object.assign(this, known.get(name));
};
"""


# Of each kind one: with a code and without, from both rings, on each stack, software and device
# interrupts, single step, a handler that mends; and what a deviation of QEMU lets nobody record.
SAMPLE = (
    "pf-write-readonly", "ud-ud2", "gp-user-cli", "gp-int13", "bp-int3", "bp-user", "df-int8",
    "stack-ist", "irq-timer", "db-step", "de-repair", "ac-user-write",
)  # fmt: skip


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the recordings: TRACES, or the sample, which pytest-xdist's workers share."""
    if folder := os.environ.get("TRACES"):
        return Path(folder)
    from explorer.keep import Shelf

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "explorer-traces"
    with open(shared / "lock-explorer-traces", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            Shelf(BUILD, folder).record(list(SAMPLE))
    return folder


@pytest.fixture(scope="session")
def recordings(traces: Path) -> dict[str, Json]:
    """The recordings of the page, as the recorder has left them."""
    files = [file for file in sorted(traces.glob("*.json")) if file.name != shelf.INDEX]
    assert files
    return {file.stem: json.loads(file.read_text()) for file in files}


@pytest.fixture(scope="session")
def page(traces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all of them."""
    from explorer import pack

    path = tmp_path_factory.mktemp("explorer") / "index.html"
    path.write_text(pack.page(pack.data(traces, BUILD)))
    return path


@pytest.fixture(scope="session")
def only_browser() -> Iterator[Any]:
    pytest.importorskip("selenium", reason="python3-selenium is not here")
    if not shutil.which("chromium"):
        pytest.skip("there is no chromium here")
    from explorer.browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(only_browser: Any) -> Iterator[Any]:
    """The browser, as it is for everybody at first. A word on its console is a failure."""
    only_browser.size("large")
    only_browser.prefer()
    yield only_browser
    assert only_browser.complaints() == []


@pytest.fixture(scope="session")
def axe(only_browser: Any) -> str:
    """axe-core's script."""
    literal = only_browser.read(LIGHTHOUSE, AXE)
    assert literal, f"this Chromium has no axe-core in {LIGHTHOUSE}"
    return only_browser.run(f"return {literal}") + AXE_COLOURS


@pytest.fixture(scope="session")
def changed(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """changed(edit) is the page after edit(text)."""

    def make(edit: Callable[[str], str]) -> Path:
        path = tmp_path_factory.mktemp("changed") / "index.html"
        path.write_text(edit(page.read_text()))
        return path

    return make
