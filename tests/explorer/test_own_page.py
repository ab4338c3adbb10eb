"""`make explore FAULTS=`: a person's own faults, played; and words for those that are wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from emulator import behind_grub
from explorer.browser import Browser
from museum.bugs import BuildError, Tree
from test_page import press, text

INCLUDE = '%include "fault.inc"\n'
ENTRY = 'fault 0, "{}", "mine"\n.here:  ud2\n.next:  done\nexpect {}, .here, then .next\n'


@pytest.fixture(scope="module")
def tree() -> Tree:
    """A tree with directories of faults beside the catalogue's."""
    made = Tree(f"explorer-own-{os.getpid()}")  # of each worker of pytest-xdist
    files = {
        "mine/ud-mine": INCLUDE + ENTRY.format("ud-mine", "UD"),
        "mine/ud-wrong": INCLUDE + ENTRY.format("ud-wrong", "GP"),
        "bare/ud-bare": ENTRY.format("ud-bare", "UD"),
    }
    for name, content in files.items():
        file = (made.path / name).with_suffix(".asm")
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    yield made
    made.remove()


def test_own_faults_are_played(tree: Tree, browser: Browser) -> None:
    tree.make("barestub.iso", faults="mine")
    command = [sys.executable, "scripts/explore", "build"]
    environment = {**os.environ, "FAULTS": "mine", "STATE_BUILD": str(behind_grub.BUILD)}
    done = subprocess.run(command, cwd=tree.path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "ud-wrong is not recorded: vector 6, not 13" in done.stderr
    assert "ud-mine is not" not in done.stderr

    browser.open(tree.build / "explorer/own/mine/index.html", "#/trap/ud-mine/0")
    assert text(browser, ".instruction") == "ud2"
    assert text(browser, ".source .where") == "mine/ud-mine.asm:3"
    assert "ud2" in text(browser, ".lines .current")
    press(browser, "End")
    assert text(browser, ".instruction") == "The recording ends here"
    browser.go("#/trap/ud-wrong/0")
    assert "vector 6, not 13" in text(browser, "#problems")


def test_a_fault_that_nasm_cannot_read_is_told(tree: Tree) -> None:
    with pytest.raises(BuildError, match=r'bare/ud-bare\.asm:1: error: .*%include "fault\.inc"'):
        tree.make("barestub.iso", faults="bare")
