"""Pictures of the explorer's page, for whoever wants to look at it: each of a few places, at three
sizes, in both themes. README.md's, beside the page's sources, is a copy of readme.webp."""

from __future__ import annotations

from pathlib import Path

from explorer.browser import SIZES, Browser

PLACES = {
    "story": "#/about",
    "explore": "#/trap/gp-user-cli/24",
    "beside": "#/trap/pf-write-readonly/22/vs/ud-ud2",
}

README = "#/trap/pf-write-readonly/26"

TELL_THE_STORY = "document.querySelector('.tab-about .primary').click()"
IS_TOLD = "return document.querySelector('.story') !== null"
SWITCH_THE_THEME = "document.getElementById('switch-theme').click()"


def take(browser: Browser, page: Path, folder: Path) -> list[Path]:
    """Photograph @page into @folder; return the pictures."""
    files = []
    browser.prefer(motion="reduce")
    browser.open(page, "#/about")
    for size in SIZES:
        browser.size(size)
        for place, address in PLACES.items():
            browser.go(address)
            if place == "story":
                browser.run(TELL_THE_STORY)
                browser.wait(IS_TOLD)
            browser.run("scrollTo(0, 0)")
            for theme in ("light", "dark"):
                files.append(folder / f"{place}-{size}-{theme}.png")
                browser.screenshot(files[-1])
                browser.run(SWITCH_THE_THEME)
    browser.prefer(motion="reduce")
    browser.size("small")
    browser.open(page, README)
    browser.picture(folder / "readme.webp")
    return [*files, folder / "readme.webp"]
