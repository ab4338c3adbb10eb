"""A recording that is malformed, missing or newer, and a page with a piece missing: words, never a
blank page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer import pack
from explorer.browser import Browser

Make = Callable[..., Path]
CHUNK = '<script type="application/gzip" id="chunk-{}">'


def said(browser: Browser) -> str:
    return browser.run("return document.getElementById('problems').innerText")


def is_alive(browser: Browser) -> bool:
    """Whether there is something to look at, and a way on."""
    words = browser.run("return document.querySelector('main').innerText.trim()")
    return bool(words) and browser.run("return document.querySelectorAll('nav a').length > 0")


def without(name: str) -> Callable[[str], str]:
    return lambda text: re.sub(re.escape(CHUNK.format(name)) + ".*?</script>", "", text)


def damaged(name: str) -> Callable[[str], str]:
    mark = CHUNK.format(name)
    return lambda text: text.replace(mark, mark + "H4sIAAAAAAAA")


def test_a_damaged_recording(browser: Browser, changed: Make) -> None:
    browser.open(changed(damaged("first")), "#/trap/pf-write-readonly/0")
    assert "damaged" in said(browser) and is_alive(browser)
    browser.go("#/trap/ud-ud2/1")
    assert said(browser) == ""
    assert browser.run("return document.querySelector('.instruction').innerText")


def test_a_missing_recording(browser: Browser, changed: Make) -> None:
    browser.open(changed(without("first")), "#/trap/pf-write-readonly/0")
    assert "no data" in said(browser) and is_alive(browser)


@pytest.mark.parametrize("edit", [without("index"), damaged("index")])
def test_no_index(browser: Browser, changed: Make, edit: Callable[[str], str]) -> None:
    browser.open(changed(edit), "")
    assert "make explore" in said(browser)
    assert browser.run("return document.querySelector('main').innerText.trim() !== ''")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": 2}, "of format 2"),
        ({"steps": None}, "malformed"),
        ({"start": {}}, "malformed"),
        ({"steps": [7]}, "malformed"),
    ],
    ids=str,
)
def test_a_recording_of_another_kind(
    browser: Browser, traces: Path, changed: Make, change: dict, words: str
) -> None:
    """As if whoever made the page had known it, and the page does not."""
    recording = json.loads((traces / "ud-ud2.json").read_text()) | {"name": "pf-write-readonly"}
    packed = {"code": [], "recordings": {"pf-write-readonly": recording | {"code": []} | change}}

    def edit(text: str) -> str:
        return without("first")(text).replace("</body>", pack.chunk("first", packed) + "</body>")

    browser.open(changed(edit), "#/trap/pf-write-readonly/0")
    assert words in said(browser) and is_alive(browser)


def test_what_the_packer_cannot_read_is_listed_with_its_reason(
    browser: Browser, traces: Path, tmp_path: Path
) -> None:
    good = (traces / "pf-write-readonly.json").read_text()
    files = {"pf-write-readonly": good, "broken": good[:200], "empty": "", "list": "[]"}
    files["newer"] = json.dumps(json.loads(good) | {"format": 9, "name": "newer"})
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    page = tmp_path / "index.html"
    page.write_text(pack.page(pack.data(tmp_path, tmp_path)))
    browser.open(page, "#/trap/pf-write-readonly/1")
    assert said(browser) == ""
    reasons = {"broken": "no JSON", "empty": "no JSON", "list": "no recording", "newer": "format 9"}
    for name, words in reasons.items():
        browser.go(f"#/trap/{name}/0")
        assert words in said(browser) and is_alive(browser), name


def test_a_page_without_recordings(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(pack.page(pack.data(tmp_path, tmp_path)))
    browser.open(page, "")
    assert "make explore" in said(browser)
    browser.go("#/vectors")
    assert said(browser) == ""
