"""A headless Chromium that looks at the explorer's page. Use chromium(): it outlives no block."""

from __future__ import annotations

import base64
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIZES = {"large": (1440, 900), "small": (1280, 800), "phone": (390, 844)}
NARROW = 600  # below it a window is a phone's
TIMEOUT = 60  # seconds for what a page does at once

# No sandbox, as in a container there is none to be had; no network, as the page needs none. Nor does
# a process wait for the next page, or keep the last one.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--force-color-profile=srgb", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-extensions",
    "--disable-back-forward-cache", "--disable-features=SpareRendererForSitePerProcess",
)  # fmt: skip

READY = "return document.documentElement.dataset.ready === 'yes'"


class Browser:
    """One window, on one page at a time."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._loads = 0
        self._visited: Path | None = None

    def size(self, name: str) -> None:
        """Make the window that of SIZES."""
        width, height = SIZES[name]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        metrics["mobile"] = width < NARROW
        self._command("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, theme: str = "light", motion: str = "no-preference", media: str = "") -> None:
        """Set what the system tells pages that a person prefers."""
        features = {"prefers-color-scheme": theme, "prefers-reduced-motion": motion}
        listed = [{"name": name, "value": value} for name, value in features.items()]
        self._command("Emulation.setEmulatedMedia", {"media": media, "features": listed})

    def open(self, page: Path, address: str = "", visited: bool = True) -> None:
        """Load @page anew, at @address; @visited if whoever looks has seen the story."""
        self._visited = None
        self._loads += 1  # a number in the address: what differs behind the # alone is not loaded
        keep = "localStorage.setItem('barestub.story', 'seen')" if visited else ""
        with self._beginning_with(f"try {{ localStorage.clear(); {keep} }} catch {{}}"):
            self.driver.get(f"{page.resolve().as_uri()}?{self._loads}{address}")
        self.wait(READY)

    def visit(self, page: Path, address: str) -> None:
        """Go to @address of @page, for whoever changes no switch of it: a page that only visitors
        have seen since it was loaded is not loaded anew."""
        if self._visited != page:
            self.open(page, "#/about")
            self._visited = page
        self.go("#/about")  # as @address may be where the last one was, some steps ago
        self.go(address)

    def go(self, address: str) -> None:
        """Follow a link to @address of the page that is open."""
        self.run("return go(arguments[0])", address)

    def read(self, address: str, script: str) -> Any:
        """What @script returns of the @text at @address. It is not shown, as that takes long."""
        self._visited = None
        with self._beginning_with("stop()"):
            self.driver.get(address)
        return self.run("const text = await (await fetch(location)).text();" + script)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run @script in the page, with the helpers of HELPERS; a promise is waited for."""
        return self.driver.execute_script(HELPERS + script, *arguments)

    def wait(self, script: str) -> None:
        """Wait until @script returns something true."""
        end = time.monotonic() + TIMEOUT
        while not self.driver.execute_script(script):
            assert time.monotonic() < end, f"this never became true: {script}"
            time.sleep(0.02)

    def complaints(self) -> list[str]:
        """What has come to the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def screenshot(self, file: Path) -> None:
        """A picture that is made quickly, whatever its size."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._capture(file, {"format": "png", "optimizeForSpeed": True})

    def picture(self, file: Path) -> None:
        """A picture as small as can be, for a README."""
        self._capture(file, {"format": "webp", "quality": 88})

    @contextmanager
    def _beginning_with(self, script: str) -> Iterator[None]:
        """What is loaded meanwhile begins with @script."""
        added = self._command("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        yield
        self._command("Page.removeScriptToEvaluateOnNewDocument", added)

    def _capture(self, file: Path, how: dict[str, Any]) -> None:
        file.write_bytes(base64.b64decode(self._command("Page.captureScreenshot", how)["data"]))

    def _command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self.driver.execute_cdp_cmd(name, arguments)


# An address is gone to when what it shows is on the page.
HELPERS = """
const settled = async () => {
    const isShown = () => document.documentElement.dataset.shown === location.hash;
    do await new Promise((resolve) => setTimeout(resolve)); while (!isShown());
};
const go = async (address) => {
    location.hash = address;
    await settled();
};
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Browser with a profile of its own, which is gone afterwards. Selenium is asked for here, as
    tests must be found where it is not."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    profile = tempfile.mkdtemp(prefix="barestub-browser-")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(shutil.which("chromedriver") or "chromedriver")
    try:
        driver = webdriver.Chrome(service=service, options=options)
        try:
            driver.set_script_timeout(TIMEOUT)
            yield Browser(driver)
        finally:
            driver.quit()
    finally:
        shutil.rmtree(profile, ignore_errors=True)
