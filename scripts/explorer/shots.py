"""Pictures of the explorer's page, for whoever wants to look at it: each of a few places, at three
sizes, in both themes. README.md's, beside the page's sources, is a copy of readme.webp."""

from __future__ import annotations

from pathlib import Path

from explorer.browser import SIZES, Browser

PLACES = {
    "story": "",
    "explore": "#/trap/gp-user-cli/24",
    "beside": "#/trap/pf-write-readonly/22/vs/ud-ud2",
}

README = "#/trap/pf-write-readonly/26"


def take(browser: Browser, page: Path, folder: Path) -> list[Path]:
    """Photograph @page into @folder; return the pictures."""
    files = []
    for theme in ("light", "dark"):
        browser.prefer(theme=theme, motion="reduce")
        for size in SIZES:
            browser.size(size)
            browser.open(page, PLACES["story"], visited=False)
            for place, address in PLACES.items():
                if address:
                    browser.go(address)
                files.append(folder / f"{place}-{size}-{theme}.png")
                browser.screenshot(files[-1])
    browser.prefer(motion="reduce")
    browser.size("small")
    browser.open(page, README)
    browser.picture(folder / "readme.webp")
    return [*files, folder / "readme.webp"]
